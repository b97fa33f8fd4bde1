"""A Go client of the same balancer: testdata/go, built with the grpc-go that its go.sum pins."""

import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from grpclb.test_what_people_meet import NAME, PAGE, Pods, dns, hanging, hosts, own, pods, refusing, split
from testing import golang
from testing.dns import Names
from testing.grpclb import balancer
from testing.processes import wait_until

__all__ = ["own", "pods"]

PROGRAM = Path(__file__).parent / "testdata" / "go"


class Programs:
    """Built once for these tests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def build(self, tags: str) -> Path:
        return golang.build(PROGRAM, self._directory / (tags or "plain"), f"-tags={tags}")

    def arguments(self, records: Names, port: int, tags: str = "grpclb", cooldown: str = "30s") -> list[str]:
        return [str(self.build(tags)), f"dns://{records.server}/{NAME}:{port}", cooldown]

    def client(self, records: Names, port: int, cooldown: str = "30s") -> AbstractContextManager[golang.Client]:
        return golang.client(self.arguments(records, port, cooldown=cooldown))


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    golang.downloaded(PROGRAM)
    return Programs(tmp_path_factory.mktemp("go"))


def even(became: dict[str, int], addresses: list[str]) -> bool:
    return set(became) == hosts(addresses) and max(became.values()) - min(became.values()) <= 2


def test_it_spreads_as_the_balancer_says_and_takes_an_update(go: Programs, pods: Pods) -> None:
    with balancer(*pods.told[:1]) as told, dns([pods.named], told.address) as records:
        with go.client(records, pods.port) as client:
            assert client.calls(20) == dict.fromkeys(hosts(pods.told[:1]), 20)
            assert told.streams == 1
            told.publish(*pods.told)
            wait_until("the update", lambda: even(client.calls(20), pods.told))
            assert even(client.calls(300), pods.told)
        wait_until("it is forgotten", lambda: told.streams == 0)


def test_without_the_import_there_is_no_such_policy(go: Programs, pods: Pods) -> None:
    with balancer(*pods.told) as told, dns([pods.named], told.address) as records:
        run = subprocess.run(go.arguments(records, pods.port, tags=""), capture_output=True, text=True, timeout=20)
        assert run.returncode == 1
        words = "no supported policies found in config"
        assert f"grpc: the provided default service config is invalid: {words}" in run.stdout
        assert words in PAGE
        assert (told.streams, records.asked_srv) == (0, [])


def test_without_a_balancer_in_dns_it_falls_back_at_once(go: Programs, pods: Pods) -> None:
    with dns([pods.named]) as records, go.client(records, pods.port) as client:
        assert client.calls(20) == {pods.named: 20}
        assert records.asked_srv


@pytest.mark.parametrize("balancer_address", [hanging, refusing])
def test_a_balancer_that_does_not_answer_costs_ten_seconds(
    go: Programs, pods: Pods, balancer_address: Callable[[], AbstractContextManager[str]]
) -> None:
    with balancer_address() as address, dns([pods.named], address) as records, go.client(records, pods.port) as client:
        began = time.monotonic()
        assert client.calls(20) == {pods.named: 20}
        assert 9.9 < time.monotonic() - began < 14


def test_a_balancer_that_names_dead_servers_keeps_it_from_falling_back(go: Programs, own: Pods) -> None:
    with (
        balancer(*own.told) as told,
        dns([own.named], told.address) as records,
        go.client(records, own.port) as client,
    ):
        assert set(client.calls(20)) == hosts(own.told)
        own.kill_told()
        words = "all SubConns are in TransientFailure, last connection error: "
        wait_until("their end is noticed", lambda: all(words in error for error in client.calls(3)))
        told.publish()  # none is ready: it may fall back
        wait_until("it falls back", lambda: client.calls(3) == {own.named: 3})
    assert words.partition(",")[0] in PAGE


def test_a_balancer_that_is_gone_and_its_servers_too_make_it_fall_back(go: Programs, own: Pods) -> None:
    with (
        balancer(*own.told) as told,
        dns([own.named], told.address) as records,
        go.client(records, own.port) as client,
    ):
        assert set(client.calls(20)) == hosts(own.told)
        told.end(0)
        assert set(client.calls(20)) == hosts(own.told)
        own.kill_told()
        wait_until("it falls back", lambda: client.calls(3) == {own.named: 3})


def test_it_finds_a_new_balancer_though_dns_still_named_the_old_one_when_that_was_gone(
    go: Programs, pods: Pods
) -> None:
    """Unlike C-core it asks DNS whenever an attempt to connect has failed."""
    with (
        balancer(*pods.told[:1]) as old,
        balancer(*pods.told) as new,
        dns([pods.named], old.address) as records,
        go.client(records, pods.port, cooldown="200ms") as client,
    ):
        assert set(client.calls(20)) == hosts(pods.told[:1])
        asked = len(records.asked_srv)
        old.end(0)
        wait_until("it asks DNS", lambda: len(records.asked_srv) > asked)
        records.balancers = [split(new.address)]
        wait_until("it finds the new one", lambda: new.streams)
        wait_until("and goes by it", lambda: even(client.calls(20), pods.told))
