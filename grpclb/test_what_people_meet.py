"""What people meet with grpclb, each with what C-core says and how long it takes; and next to it what goes right.

Several servers, a balancer that knows all but the first, and a DNS server that names the first alone: who answers shows
where a client has its addresses from.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

import grpc
import pytest

import testing.dns
from catalogue import ROOT
from greeter_client.calls import Call, greet
from grpclb.client import SERVICE_CONFIG, open_channel
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, outcomes
from testing.dns import Names
from testing.grpclb import balancer
from testing.processes import Process, greeters, process, wait_until

PAGE = (ROOT / "docs" / "debugging.md").read_text()
NAME = "greeter-server.shop"


@contextmanager
def dns(addresses: list[str], *balancers: str) -> Iterator[Names]:
    """A DNS server that names these; balancers are HOST:PORT."""
    with testing.dns.dns(addresses) as names:
        names.balancers = [split(address) for address in balancers]
        yield names


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


class Pods(NamedTuple):
    """Servers on one port. `named` is the host that DNS names; `told` the others' addresses, HOST:PORT."""

    named: str
    told: list[str]
    port: int
    processes: list[Process]  # in that order

    def kill_told(self) -> None:
        for server in self.processes[1:]:
            server.kill()


@contextmanager
def running(count: int) -> Iterator[Pods]:
    with greeters(count) as started:
        addresses = [address for _, address in started]
        named, port = split(addresses[0])
        yield Pods(named, addresses[1:], port, [server for server, _ in started])


@pytest.fixture(scope="module")
def pods() -> Iterator[Pods]:
    """Of tests that leave them alone."""
    with running(3) as started:
        yield started


@pytest.fixture
def own() -> Iterator[Pods]:
    """Of one test, to break."""
    with running(3) as started:
        yield started


def client(
    records: Names, port: int, config: dict[str, list[object]] = SERVICE_CONFIG, **args: int | None
) -> grpc.Channel:
    """A channel with what grpclb needs, and these arguments (grpc.…; None: without it)."""
    usual = {"dns_enable_srv_queries": 1, "grpclb_fallback_timeout_ms": 1000, "use_local_subchannel_pool": 1}
    given = [(f"grpc.{name}", value) for name, value in {**usual, **args}.items() if value is not None]
    service_config = ("grpc.service_config", json.dumps(config))
    return grpc.insecure_channel(f"dns://{records.server}/{NAME}:{port}", [service_config, *given])


def call(channel: grpc.Channel) -> Call:
    return greet(GreeterStub(channel), "you", 20)


def hosts(addresses: list[str]) -> set[str]:
    return {split(address)[0] for address in addresses}


def even(answered: Counter[str], addresses: list[str]) -> bool:
    """Whether these alone have answered, within a call of evenly: one may connect a little later than another."""
    return set(answered) == hosts(addresses) and max(answered.values()) - min(answered.values()) <= 2


@contextmanager
def hanging() -> Iterator[str]:
    """The address of a balancer that accepts connections (the kernel does) and never speaks."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    """The address of a balancer that is gone."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


# It never asks the balancer


def test_with_all_in_place_it_goes_by_the_balancer(pods: Pods) -> None:
    with (
        balancer(*pods.told) as told,
        dns([pods.named], told.address) as records,
        open_channel(f"dns://{records.server}/{NAME}:{pods.port}") as channel,
    ):
        connect(channel, len(pods.told))
        assert even(outcomes(channel, 20), pods.told)
        assert told.streams == 1


@pytest.mark.parametrize(
    ("named", "args", "config", "asked"),
    [
        pytest.param(False, {}, SERVICE_CONFIG, True, id="a Service whose port is not named grpclb"),
        pytest.param(True, {"dns_enable_srv_queries": None}, SERVICE_CONFIG, False, id="no SRV queries"),
        pytest.param(True, {}, {"loadBalancingConfig": [{"round_robin": {}}]}, True, id="another policy"),
    ],
)
def test_it_never_asks_the_balancer_and_says_nothing(
    pods: Pods,
    named: bool,
    args: dict[str, None],
    config: dict[str, list[object]],
    asked: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with (
        balancer(*pods.told) as told,
        dns([pods.named], *([told.address] if named else [])) as records,
        client(records, pods.port, config, **args) as channel,
    ):
        assert outcomes(channel, 20) == {pods.named: 20}
        assert told.streams == 0
    assert bool(records.asked_srv) is asked
    assert "fallback" not in capfd.readouterr().err


def test_the_native_resolver_knows_no_srv(pods: Pods) -> None:
    """It is another one than gRPC's default, c-ares: some set it where that can't resolve."""
    port = split(pods.told[0])[1]
    env = {"GRPC_DNS_RESOLVER": "native", "GRPC_TRACE": "event_engine_client_channel_resolver"}
    with process("grpclb.client", f"--target=localhost:{port}", "--count=1", env=env) as running:
        running.line("The Native resolver does not support looking up SRV records")
    env["GRPC_DNS_RESOLVER"] = "ares"
    with process("grpclb.client", f"--target=localhost:{port}", "--count=1", env=env) as running:
        running.line(r"SRV lookup failed for _grpclb\._tcp\.localhost")
    assert "`GRPC_DNS_RESOLVER` is `native`" in PAGE


def test_the_port_of_the_balancer_is_dialled_as_if_it_were_the_service(pods: Pods) -> None:
    with balancer(*pods.told) as told, dns(["127.0.0.1"]) as records:
        with client(records, split(told.address)[1]) as channel:
            failed = call(channel)
        assert (failed.code, failed.details) == ("UNIMPLEMENTED", "Method not found!")


def test_the_balancers_own_service_is_dialled_and_falls_back_on_balancers(pods: Pods) -> None:
    """As the reference of 2018 does: all is well until the balancer is needed and gone."""
    with balancer(*pods.told) as told, dns(["127.0.0.1"], told.address) as records:
        with client(records, pods.port) as channel:
            connect(channel, len(pods.told))
        told.end(0)
        with client(records, pods.port) as channel:
            failed = call(channel)
        assert failed.code == "UNAVAILABLE"
        assert f"ipv4:127.0.0.1:{pods.port}: Failed to connect to remote host: Connection refused" in failed.details
        records.addresses = [pods.named]
        with client(records, pods.port) as channel:
            assert call(channel).backend == pods.named


def test_a_balancer_that_does_not_know_the_name_makes_it_fall_back_at_once(
    pods: Pods, capfd: pytest.CaptureFixture[str]
) -> None:
    with balancer(*pods.told) as told, dns([pods.named], told.address) as records:
        target = f"dns://{records.server}/payments:{pods.port}"
        with open_channel(target, fallback_timeout_ms=20_000) as channel:
            answered = call(channel)
        assert (answered.backend, told.streams) == (pods.named, 0)
    assert answered.latency < 5
    shown(capfd, "Balancer call finished without receiving serverlist; entering fallback mode")


# There is none yet


def test_without_a_balancer_in_dns_it_falls_back_at_once_and_asks_dns_at_growing_intervals(pods: Pods) -> None:
    """1 s, and 1.6 times as long each time, up to 2 min: whatever the cooldown of DNS (here gRPC's 30 s)."""
    with dns([pods.named]) as records, client(records, pods.port, grpclb_fallback_timeout_ms=20_000) as channel:
        answered = call(channel)
        assert answered.backend == pods.named
        assert answered.latency < 5, "it waited for the fallback's timeout"
        wait_until("it asks again and again", lambda: len(records.asked_srv) == 3)
        with balancer(*pods.told) as told:
            records.balancers = [split(told.address)]
            wait_until("it learns of the balancer", lambda: told.streams)
            wait_until("and goes by it", lambda: even(outcomes(channel, 10), pods.told))


def test_a_balancer_that_refuses_makes_it_fall_back_at_once(pods: Pods) -> None:
    with (
        refusing() as address,
        dns([pods.named], address) as records,
        client(records, pods.port, grpclb_fallback_timeout_ms=20_000) as channel,
    ):
        answered = call(channel)
    assert answered.backend == pods.named
    assert answered.latency < 5


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(1000, 1), (None, 10)], ids=["1 s", "gRPC's default"])
def test_a_balancer_that_hangs_holds_calls_up_until_the_fallback(
    pods: Pods, timeout_ms: int | None, seconds: float, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        hanging() as address,
        dns([pods.named], address) as records,
        client(records, pods.port, grpclb_fallback_timeout_ms=timeout_ms) as channel,
    ):
        answered = call(channel)
    assert answered.backend == pods.named
    assert seconds - 0.1 <= answered.latency < seconds + 4
    shown(capfd, "No response from balancer after fallback timeout; entering fallback mode")


def test_without_a_balancer_and_without_a_server_in_dns_it_says_so() -> None:
    with refusing() as address, dns([], address) as records, client(records, 8000) as channel:
        failed = call(channel)
    assert failed.code == "UNAVAILABLE"
    words = "grpclb in fallback mode without any fallback addresses"
    assert f"empty address list ({words}: " in failed.details
    assert words in PAGE


# It is gone


def test_a_balancer_that_is_gone_costs_nothing_while_its_servers_are_there(pods: Pods) -> None:
    with (
        balancer(*pods.told) as told,
        dns([pods.named], told.address) as records,
        client(records, pods.port) as channel,
    ):
        connect(channel, len(pods.told))
        told.end(0)
        for _ in range(5):
            assert even(outcomes(channel, 20), pods.told)
            time.sleep(0.1)


def test_a_balancer_that_is_gone_and_its_servers_too_make_it_fall_back_at_once(
    own: Pods, capfd: pytest.CaptureFixture[str]
) -> None:
    with balancer(*own.told) as told, dns([own.named], told.address) as records, client(records, own.port) as channel:
        connect(channel, len(own.told))
        told.end(0)
        own.kill_told()
        began = time.monotonic()
        wait_until("it falls back", lambda: outcomes(channel, 5) == {own.named: 5})
        assert time.monotonic() - began < 5
    shown(capfd, "lost contact with balancer and backends from most recent serverlist; entering fallback mode")


def test_what_dns_had_when_it_last_asked_is_all_that_it_can_fall_back_on(own: Pods) -> None:
    """So calls fail until it may ask again (gRPC's cooldown: 30 s, here 5 s)."""
    port = own.port
    with (
        balancer(*own.told[:1]) as told,
        dns(list(hosts(own.told[:1])), told.address) as records,
        client(records, port, dns_min_time_between_resolutions_ms=5000) as channel,
    ):
        connect(channel, 1)
        began = time.monotonic()
        told.end(0)
        records.balancers, records.addresses = [], [own.named]
        own.processes[1].kill()
        wait_until("its end is noticed", lambda: "UNAVAILABLE" in outcomes(channel, 1))
        failed = call(channel)
        assert failed.code == "UNAVAILABLE"
        assert failed.details.startswith("connections to all backends failing; last error: ")
        wait_until("it asks again", lambda: call(channel).backend == own.named)
        assert time.monotonic() - began > 2


def test_a_balancer_that_names_dead_servers_keeps_it_from_falling_back(own: Pods) -> None:
    with balancer(*own.told) as told, dns([own.named], told.address) as records, client(records, own.port) as channel:
        connect(channel, len(own.told))
        own.kill_told()
        wait_until("their end is noticed", lambda: outcomes(channel, 5) == {"UNAVAILABLE": 5})
        until = time.monotonic() + 2  # twice the timeout of the fallback
        while time.monotonic() < until:
            failed = call(channel)
            assert failed.code == "UNAVAILABLE"
            assert failed.details.startswith("connections to all backends failing; last error: ")
            time.sleep(0.1)
        told.publish()  # none is ready: it may fall back
        wait_until("it falls back", lambda: outcomes(channel, 5) == {own.named: 5})


@pytest.mark.parametrize("timeout_ms", [None, 1000], ids=["gRPC's default", "the stream begins anew"])
def test_a_balancer_that_dns_names_when_it_is_gone_already_is_waited_for(pods: Pods, timeout_ms: int | None) -> None:
    """It asks DNS once, when the stream ends; a stale answer is the last while a server of its list lives."""
    args = {"dns_min_time_between_resolutions_ms": 200, "grpclb_call_timeout_ms": timeout_ms}
    with (
        balancer(*pods.told[:1]) as old,
        balancer(*pods.told) as new,
        dns([pods.named], old.address) as records,
        client(records, pods.port, SERVICE_CONFIG, **args) as channel,
    ):
        connect(channel, 1)
        asked = len(records.asked_srv)
        old.end(0)
        wait_until("it asks DNS", lambda: len(records.asked_srv) > asked)
        time.sleep(0.5)  # it has the answer
        records.balancers = [split(new.address)]
        if timeout_ms:
            wait_until("it finds the new one", lambda: new.streams)
            wait_until("and goes by it", lambda: even(outcomes(channel, 10), pods.told))
        else:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                assert set(outcomes(channel, 5)) == hosts(pods.told[:1])
                time.sleep(0.1)
            assert new.streams == 0


# It hangs under way

BALANCER = """
import sys
from testing.grpclb import balancer
with balancer(*sys.argv[1:]) as running:
    print(running.address, flush=True)
    sys.stdin.read()
"""


def test_a_balancer_that_hangs_under_way_costs_nothing_but_news(own: Pods) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BALANCER, *own.told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as hung:
        try:
            assert hung.stdout
            address = hung.stdout.readline().strip()
            with dns([own.named], address) as records, client(records, own.port) as channel:
                connect(channel, len(own.told))
                os.kill(hung.pid, signal.SIGSTOP)
                assert even(outcomes(channel, 20), own.told)
                own.processes[1].kill()
                wait_until("one is left", lambda: set(outcomes(channel, 5)) == hosts(own.told[1:]))
                assert set(outcomes(channel, 20)) == hosts(own.told[1:])
                own.processes[2].kill()  # the balancer's connection stands: no fallback
                wait_until("none is left", lambda: outcomes(channel, 5) == {"UNAVAILABLE": 5})
                time.sleep(1.5)
                assert outcomes(channel, 5) == {"UNAVAILABLE": 5}
        finally:
            hung.kill()


def shown(capfd: pytest.CaptureFixture[str], words: str) -> None:
    """The client has written these words, and the page on debugging shows them."""
    assert words in capfd.readouterr().err
    assert words in PAGE
