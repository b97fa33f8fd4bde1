"""A Go client of the same control plane: testdata/go, built with the grpc-go that its go.sum pins."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from testing import golang
from testing.client_xds import SERVICE, ControlPlane, bootstrap, control_plane
from testing.golang import Client
from testing.processes import greeters, wait_until

PROGRAM = Path(__file__).parent / "testdata" / "go"
POLICY = Path(__file__).parent / "policies" / "timeouts_and_retries.yaml"
V2 = f"{SERVICE}-v2"

Go = Callable[..., AbstractContextManager[Client]]


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    """Built once for these tests: to be run with a bootstrap."""
    golang.downloaded(PROGRAM)
    program = golang.build(PROGRAM, tmp_path_factory.mktemp("go") / "client")

    def client(config: str, name: str = SERVICE) -> AbstractContextManager[Client]:
        return golang.client([program, f"xds:///{name}"], {"GRPC_XDS_BOOTSTRAP_CONFIG": config})

    return client


@pytest.fixture(scope="module")
def servers() -> Iterator[list[str]]:
    with greeters(4, "--faults") as started:
        yield [address for _, address in started]


@pytest.fixture
def plane(servers: list[str]) -> Iterator[ControlPlane]:
    """It knows three of them as one Service, and the fourth as another."""
    with control_plane() as running:
        running.publish(*servers[:3])
        running.publish(servers[3], service=V2)
        running.start()
        yield running


def hosts(addresses: list[str]) -> set[str]:
    return {address.rpartition(":")[0] for address in addresses}


def even(became: dict[str, int], addresses: list[str]) -> bool:
    return set(became) == hosts(addresses) and max(became.values()) - min(became.values()) <= 1


def test_it_spreads_calls_evenly_and_takes_an_update(go: Go, plane: ControlPlane, servers: list[str]) -> None:
    with go(bootstrap(plane.address)) as client:
        wait_until("all three", lambda: set(client.calls(10)) == hosts(servers[:3]))
        assert even(client.calls(300), servers[:3])
        plane.publish(*servers[:2])
        wait_until("the update", lambda: even(client.calls(20), servers[:2]))
        assert even(client.calls(300), servers[:2])


def test_a_canary_gets_one_call_in_ten(go: Go, plane: ControlPlane, servers: list[str]) -> None:
    [canary] = hosts(servers[3:])
    plane.apply("canary")
    with go(bootstrap(plane.address)) as client:
        assert client.calls(2000)[canary] == pytest.approx(200, abs=60)
        plane.configure()
        wait_until("the policy's end", lambda: canary not in client.calls(50))
        assert canary not in client.calls(100)


def test_one_user_has_one_server(go: Go, plane: ControlPlane, servers: list[str]) -> None:
    plane.apply("ring_hash")
    with go(bootstrap(plane.address)) as client:
        [first] = client.calls(20, "user=ann")
        assert client.calls(20, "user=ann") == {first: 20}
        many = {host for number in range(50) for host in client.calls(1, f"user={number}")}
        assert many == hosts(servers[:3])


def test_it_keeps_to_a_time_limit_that_makes_every_call_of_a_python_client_fail(go: Go, plane: ControlPlane) -> None:
    policy = yaml.safe_load(POLICY.read_text().replace("4s", "1s"))
    plane.configure(*policy["data"].values())
    with go(bootstrap(plane.address)) as client:
        assert set(client.calls(1, "fault=delay=5s")) == {
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
        }
        assert not any("rpc error" in outcome for outcome in client.calls(30))


def test_it_refuses_what_it_cannot_do_and_goes_on_by_the_last_good_one(
    go: Go, plane: ControlPlane, servers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with go(bootstrap(plane.address)) as client:
        wait_until("all three", lambda: set(client.calls(10)) == hosts(servers[:3]))
        plane.apply("refused")
        wait_until("a NACK", lambda: "unexpected lbPolicy MAGLEV" in caplog.text)
        assert even(client.calls(300), servers[:3])
    with go(bootstrap(plane.address)) as client:  # one that has none
        assert "unexpected lbPolicy MAGLEV in response" in client.failure()


def test_a_name_that_is_no_listener_fails_after_15_s(go: Go, plane: ControlPlane) -> None:
    with go(bootstrap(plane.address), "greeting-server") as client:
        assert 'xds: resource "greeting-server" of type "ListenerResource" has been removed' in client.failure()


def test_without_endpoints_it_has_no_targets(go: Go, plane: ControlPlane) -> None:
    plane.publish()
    with go(bootstrap(plane.address)) as client:
        assert "weighted-target: no targets to pick from" in client.failure()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", 'bootstrap environment variables ("GRPC_XDS_BOOTSTRAP" or "GRPC_XDS_BOOTSTRAP_CONFIG") not defined'),
        ("{}", "required field `xds_servers` not found in bootstrap configuration"),
        (bootstrap("127.0.0.1:1"), "xds: error received from xDS stream: rpc error: code = Unavailable"),
    ],
)
def test_without_a_bootstrap_or_a_control_plane_it_says_so(go: Go, config: str, words: str) -> None:
    with go(config) as client:
        assert words in client.failure()
