"""What a proxyless channel makes of its control plane: turns, and changes at once."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest
from prometheus_client import REGISTRY

from client_xds import control_plane as control_plane_module
from client_xds.client import open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, fault, outcomes, turns
from testing.client_xds import SERVICE, ControlPlane, bootstrap, control_plane, leading_to
from testing.processes import Process, greeters, wait_until


@dataclass
class Told:
    """Servers by their addresses, and the control plane that knows them."""

    servers: dict[str, Process]
    control_plane: ControlPlane

    @property
    def addresses(self) -> list[str]:
        return list(self.servers)

    @property
    def hosts(self) -> list[str]:
        return [address.rpartition(":")[0] for address in self.servers]


@contextmanager
def told(count: int, known: int | None = None) -> Iterator[Told]:
    """So many servers, of which the control plane knows the first few (all by default)."""
    with greeters(count, "--faults") as started, control_plane() as running:
        both = Told({address: server for server, address in started}, running)
        running.publish(*both.addresses[:known])
        running.start()
        yield both


@pytest.fixture
def xds(monkeypatch: pytest.MonkeyPatch) -> "Xds":
    return Xds(monkeypatch)


class Xds:
    """Opens channels as client_xds.client does, whose bootstrap names a control plane.

    gRPC reads it whenever it makes a client for a target of which it has none (an XdsClient), and keeps that one while
    a channel to that target is open.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def channel(self, running: ControlPlane, target: str = f"xds:///{SERVICE}") -> grpc.Channel:
        self._monkeypatch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", bootstrap(running.address))
        return open_channel(target)


def test_calls_take_turns_to_the_call_among_those_that_the_control_plane_names(xds: Xds) -> None:
    with told(4, known=3) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
        assert turns(counts, running.hosts[:3]), counts


def test_no_call_fails_when_a_connection_to_the_control_plane_ends_by_its_age_and_nothing_is_withdrawn(
    xds: Xds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        control_plane_module,
        "OPTIONS",
        [("grpc.max_connection_age_ms", 200), ("grpc.max_connection_age_grace_ms", 50)],
    )
    before = asked()
    with told(3) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 3)
        total: Counter[str] = Counter()
        while asked() < before + 5:  # times
            total += outcomes(channel, 30)
        assert turns(total, running.hosts), total


def asked() -> float:
    """How often clients have been given a Listener: once by each stream of theirs."""
    return REGISTRY.get_sample_value("xds_responses_total", {"type": "Listener"}) or 0.0


def test_a_plain_channel_stays_with_the_server_that_it_dials_whatever_the_control_plane_says(xds: Xds) -> None:
    with told(3) as running, xds.channel(running.control_plane) as channel:
        with open_channel(running.addresses[1]) as plain:
            assert outcomes(plain, 60) == {running.hosts[1]: 60}
        connect(channel, 3)


def test_a_new_server_gets_calls_and_a_removed_one_gets_no_more_at_once(xds: Xds) -> None:
    """Counted, not timed: how many calls are made in between. (How long it takes is a benchmark's to say.)"""
    with told(3, known=2) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 2)
        old, *others = running.hosts
        running.control_plane.publish(*running.addresses)
        connect(channel, 3)
        running.control_plane.publish(*running.addresses[1:])
        wait_until("calls to stay away", lambda: old not in outcomes(channel, 10))
        assert turns(outcomes(channel, 100), others)


def test_calls_go_on_when_the_control_plane_is_gone_and_what_it_says_when_it_is_back_is_heard(xds: Xds) -> None:
    with told(3, known=2) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 2)
        address = running.control_plane.address
        running.control_plane.end()
        assert turns(outcomes(channel, 200), running.hosts[:2])
        with control_plane(address=address) as again:
            wait_until("the client has come", lambda: again.watched() == {SERVICE})
            assert turns(outcomes(channel, 100), running.hosts[:2])  # it knows nothing yet, and withdraws nothing
            again.publish(*running.addresses[1:])
            again.start()
            wait_until("the other servers", lambda: turns(outcomes(channel, 10), running.hosts[1:]))


def test_a_control_plane_that_is_away_at_first_is_waited_for(xds: Xds) -> None:
    with told(1) as running:
        running.control_plane.end()
        with xds.channel(running.control_plane) as channel:
            assert "UNAVAILABLE" in outcomes(channel, 1, deadline=10)
            with control_plane(*running.addresses, address=running.control_plane.address):
                wait_until("an answer", lambda: outcomes(channel, 1) == {running.hosts[0]: 1})


REFUSED = f"""
"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: {SERVICE}
type: EDS
eds_cluster_config: {{eds_config: {{ads: {{}}, resource_api_version: V3}}}}
lb_policy: MAGLEV # which gRPC doesn't know
"""


def test_while_a_client_refuses_a_resource_it_goes_by_the_last_good_one(
    xds: Xds, caplog: pytest.LogCaptureFixture
) -> None:
    with told(3, known=2) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 2)
        running.control_plane.configure(REFUSED)
        said = f"of Cluster {SERVICE} version "
        wait_until("a NACK", lambda: "NACK from a-test at ipv4:127.0.0.1:" in caplog.text and said in caplog.text)
        assert turns(outcomes(channel, 100), running.hosts[:2])
        running.control_plane.publish(*running.addresses)  # what of it is good takes effect
        connect(channel, 3)
        running.control_plane.configure()
        running.control_plane.publish(*running.addresses[:1])
        wait_until("all is well", lambda: outcomes(channel, 10) == {running.hosts[0]: 10})
        assert caplog.text.count("NACK") == 1


def test_a_client_whose_first_resource_is_refused_says_why(xds: Xds) -> None:
    with told(1) as running:
        running.control_plane.configure(REFUSED)
        with xds.channel(running.control_plane) as channel, pytest.raises(grpc.RpcError) as caught:
            GreeterStub(channel).SayHello(HelloRequest(name="you"), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "LB policy is not supported" in str(caught.value.details())


def test_a_service_that_is_not_there_makes_calls_fail_until_it_is(xds: Xds) -> None:
    """gRPC waits for a resource that it has never had for 15 s, whatever it is told (xDS protocol, "Knowing when a
    requested resource does not exist")."""
    with told(1) as running, xds.channel(running.control_plane, "xds:///payments") as channel:
        wait_until("a failure", lambda: outcomes(channel, 1, deadline=20) == {"UNAVAILABLE": 1})
        running.control_plane.publish(*running.addresses, service="payments")
        wait_until("an answer", lambda: outcomes(channel, 1) == {running.hosts[0]: 1})


def test_no_call_fails_while_servers_are_withdrawn_and_drained(xds: Xds) -> None:
    """As in a rolling restart: first it is not ready any more, then it ends."""
    with told(4, known=2) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 2)
        failed = 0
        for begin in (1, 2):
            running.control_plane.publish(*running.addresses[begin : begin + 2])
            old = running.servers[running.addresses[begin - 1]]
            old.signal(signal.SIGTERM)
            while not old.said("Stopped"):
                counts = outcomes(channel, 20)
                failed += sum(count for outcome, count in counts.items() if outcome.isupper())
        assert turns(outcomes(channel, 100), running.hosts[2:])
    assert failed == 0


def test_no_call_fails_while_routes_move_to_a_new_cluster_and_the_old_one_goes(xds: Xds) -> None:
    with told(4) as running, xds.channel(running.control_plane) as channel:
        running.control_plane.publish(*running.addresses[:2], service="blue")
        running.control_plane.publish(*running.addresses[2:], service="green")
        running.control_plane.configure(*leading_to("blue"))
        wait_until("the first", lambda: turns(outcomes(channel, 10), running.hosts[:2]))
        running.control_plane.configure(*leading_to("green"))
        counts = Counter[str]()
        while not turns(news := outcomes(channel, 10), running.hosts[2:]):
            counts += news
        assert counts.keys() <= set(running.hosts)
        wait_until("the old one is gone", lambda: running.control_plane.watched() == {SERVICE, "green"})


def test_no_call_fails_when_a_control_plane_ends(xds: Xds) -> None:
    with told(3) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 3)
        ending = threading.Thread(target=running.control_plane.end)
        ending.start()
        counts = outcomes(channel, 300)
        ending.join()
    assert turns(counts, running.hosts), counts


def test_every_third_call_fails_while_a_server_answers_errors(xds: Xds) -> None:
    """The control plane goes by readiness, not by answers."""
    with told(3) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 3)
        fault(running.addresses[0], fault="error=INTERNAL", fault_for="60s")
        assert outcomes(channel, 90)["INTERNAL"] == 30


def test_a_call_that_dies_with_its_server_fails_and_is_run_once(xds: Xds) -> None:
    with told(3) as running, xds.channel(running.control_plane) as channel:
        connect(channel, 3)

        def begun() -> list[Process]:
            return [server for server in running.servers.values() if server.said("Fault asked for")]

        metadata = (("fault", "delay=1s"),)
        call = GreeterStub(channel).SayHello.future(HelloRequest(name="you"), metadata=metadata, timeout=20)
        wait_until("a handler that has begun", begun)
        begun()[0].kill()
        call.exception()  # waits
        assert (call.code().name, len(begun())) == ("UNAVAILABLE", 1)
