"""The policies in policies/, as they lie there: what becomes of calls with each, and without, of gRPC and of Envoy."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc
import pytest
import yaml

from catalogue import ROOT
from client_xds.client import open_channel
from client_xds.config import parsed
from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, fault, outcomes, turns
from testing.client_xds import SERVICE, ControlPlane, bootstrap, control_plane, sidecar
from testing.processes import Process, greeters, wait_until

POLICIES = ROOT / "client_xds" / "policies"
FOUND = sorted(set(POLICIES.glob("*.yaml")) - {POLICIES / "canary-server.yaml"})
V2 = f"{SERVICE}-v2"

Open = Callable[..., AbstractContextManager[grpc.Channel]]


def host(address: str) -> str:
    return address.rpartition(":")[0]


def edited(policy: str, old: str, new: str) -> list[str]:
    """The resources of a policy, with other words."""
    text = (POLICIES / f"{policy}.yaml").read_text()
    assert old in text
    return list(yaml.safe_load(text.replace(old, new))["data"].values())


@contextmanager
def proxyless(plane: ControlPlane, zone: str = "") -> Iterator[grpc.Channel]:
    """A channel of this process that the control plane tells where to call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", bootstrap(plane.address, zone))
        with open_channel(f"xds:///{SERVICE}") as channel:
            yield channel


@contextmanager
def through_envoy(plane: ControlPlane, zone: str = "") -> Iterator[grpc.Channel]:
    """A channel to the manifest's Envoy, which the control plane tells where to call."""
    with sidecar(plane.address, zone) as running:
        target = f"{running.ip}:9000"

        def serves() -> bool:
            with open_channel(target) as channel:  # a new one, which doesn't wait before it connects again
                return not greet(GreeterStub(channel), "you", 1).details.startswith("failed to connect")

        wait_until("Envoy's listener", serves)
        with open_channel(target) as channel:
            yield channel


@pytest.fixture(params=[proxyless, through_envoy])
def client(request: pytest.FixtureRequest) -> Open:
    """A client of either kind: to be opened with a control plane."""
    kind: Open = request.param
    return kind


Pods = list[str]  # HOST:PORT


@contextmanager
def pods(count: int) -> Iterator[dict[str, Process]]:
    """Servers of a test's own, to be broken, by address."""
    with greeters(count, "--faults") as started:
        yield {address: server for server, address in started}


@pytest.fixture(scope="module")
def servers() -> Iterator[Pods]:
    """Four that are well."""
    with pods(4) as started:
        yield list(started)


@pytest.fixture
def plane(servers: Pods) -> Iterator[ControlPlane]:
    """It knows three of them as one Service, and the fourth as another."""
    with control_plane() as running:
        running.publish(*servers[:3])
        running.publish(servers[3], service=V2)
        running.start()
        yield running


def by_user(channel: grpc.Channel, *users: str) -> list[str]:
    """Who has answered each user."""
    return [greet(GreeterStub(channel), "you", 5, [("user", user)]).backend for user in users]


@pytest.mark.parametrize("policy", FOUND, ids=lambda path: path.stem)
def test_a_policy_is_one_config_map_that_applies_anywhere(policy: Path) -> None:
    [obj] = yaml.safe_load_all(policy.read_text())
    assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
    assert obj["metadata"] == {
        "name": "greeter-xds",
        "labels": {
            "app.kubernetes.io/name": "greeter",
            "app.kubernetes.io/component": "control-plane",
            "app.kubernetes.io/part-of": "client_xds",
        },
    }
    assert {name for _, name in parsed(obj["data"])} == {SERVICE}


def test_policies_are_found() -> None:
    assert len(FOUND) >= 7


# Where calls go.


def test_a_canary_gets_one_call_in_ten_and_none_without_the_policy(
    client: Open, plane: ControlPlane, servers: Pods
) -> None:
    canary = host(servers[3])
    with client(plane) as channel:
        connect(channel, 3)
        assert canary not in outcomes(channel, 300)
        plane.apply("canary")
        wait_until("the canary", lambda: outcomes(channel, 1)[canary])
        counts = outcomes(channel, 2000)
    assert counts.keys() == set(map(host, servers))
    assert counts[canary] == pytest.approx(200, abs=60)  # of chance; 60 is 4.5 times the standard deviation


def test_a_canary_without_pods_fails_its_share_of_the_calls(plane: ControlPlane) -> None:
    plane.apply("canary")
    plane.publish(service=V2)
    with proxyless(plane) as channel:
        connect(channel, 3)
        assert outcomes(channel, 1000)["UNAVAILABLE"] == pytest.approx(100, abs=40)


def test_a_canary_that_is_no_service_fails_its_share_and_a_client_that_starts_waits_15_s_before(
    plane: ControlPlane, servers: Pods
) -> None:
    plane.apply("canary")
    plane.publish(service=V2, there=False)
    with proxyless(plane) as channel:
        assert greet(GreeterStub(channel), "you", 1).code == "DEADLINE_EXCEEDED"
        call = greet(GreeterStub(channel), "you", 30)  # its turn comes when the wait is over
        assert call.code in ("OK", "UNAVAILABLE")
        calls = [greet(GreeterStub(channel), "you", 5) for _ in range(1000)]
    said = Counter(call.backend or call.details for call in calls)
    assert said.pop("CDS resource greeter-server-v2: does not exist (node ID:a-test)") == pytest.approx(100, abs=40)
    assert said.keys() == set(map(host, servers[:3]))


def test_a_client_that_runs_goes_on_while_it_waits_for_a_canary_that_is_no_service(plane: ControlPlane) -> None:
    plane.publish(service=V2, there=False)
    with proxyless(plane) as channel:
        connect(channel, 3)
        plane.apply("canary")
        outcome: set[str] = set()

        def failed() -> bool:
            outcome.update(outcomes(channel, 10))
            return "UNAVAILABLE" in outcome

        wait_until("its share to fail", failed, timeout=30)  # after 15 s
        assert {each for each in outcome if each.isupper()} == {"UNAVAILABLE"}


def test_one_user_has_one_server_and_many_have_all_but_without_the_policy_each_has_all(
    client: Open, plane: ControlPlane, servers: Pods
) -> None:
    everybody = set(map(host, servers[:3]))
    with client(plane) as channel:
        connect(channel, 3)
        assert set(by_user(channel, *["ann"] * 30)) == everybody
        plane.apply("ring_hash")
        wait_until("the ring", lambda: len(set(by_user(channel, *["ann"] * 30))) == 1)
        many = [f"user-{number}" for number in range(100)]
        first = by_user(channel, *many)
        assert set(first) == everybody
        assert by_user(channel, *many) == first
        assert outcomes(channel, 100).keys() == everybody  # nobody's calls: at random


def test_of_a_server_that_goes_the_users_move_and_few_others(plane: ControlPlane, servers: Pods) -> None:
    """A few: the places of those that stay become more, so that the ring keeps its size."""
    plane.apply("ring_hash")
    many = [f"user-{number}" for number in range(300)]
    gone = host(servers[2])
    with proxyless(plane) as channel:
        before = by_user(channel, *many)
        plane.publish(*servers[:2])
        wait_until("it is gone", lambda: gone not in by_user(channel, *many))
        after = by_user(channel, *many)
    stayed = [old == new for old, new in zip(before, after, strict=True) if old != gone]
    assert sum(stayed) > 0.75 * len(stayed)  # by the hash's remainder of 3, then 2, half would


def test_grpc_and_envoy_send_a_user_to_the_same_server(plane: ControlPlane) -> None:
    plane.apply("ring_hash")
    many = [f"user-{number}" for number in range(100)]
    with proxyless(plane) as ours, through_envoy(plane) as envoys:
        assert by_user(ours, *many) == by_user(envoys, *many)


def test_ones_own_zone_gets_every_call_and_the_others_when_it_has_nobody(
    client: Open, plane: ControlPlane, servers: Pods
) -> None:
    own, *others = servers[:3]
    zones = {own: "a", others[0]: "b", others[1]: "c"}
    plane.publish(*zones, zones=zones)
    with client(plane, zone="a") as channel:
        connect(channel, 3)  # without the policy, all
        plane.apply("zone_failover")
        wait_until("only its own", lambda: outcomes(channel, 30) == {host(own): 30})
        assert outcomes(channel, 100) == {host(own): 100}
        plane.publish(*others, zones=zones)
        wait_until("others", lambda: host(own) not in outcomes(channel, 1))
        assert outcomes(channel, 100).keys() == set(map(host, others))
        plane.publish(*zones, zones=zones)
        wait_until("its own again", lambda: outcomes(channel, 10) == {host(own): 10})


def test_a_client_in_a_zone_without_servers_calls_all(client: Open, plane: ControlPlane, servers: Pods) -> None:
    plane.publish(*servers[:3], zones=dict(zip(servers, "abc", strict=False)))
    plane.apply("zone_failover")
    with client(plane, zone="d") as channel:
        assert outcomes(channel, 100).keys() == set(map(host, servers[:3]))


@pytest.mark.parametrize("policy", ["zone_failover", ""])
def test_when_the_servers_of_ones_own_zone_are_dead_though_listed_the_others_get_every_call(policy: str) -> None:
    with pods(2) as zone, control_plane() as plane:
        own, other = zone
        plane.publish(own, other, zones={own: "a", other: "b"})
        if policy:
            plane.apply(policy)
        plane.start()
        with proxyless(plane, zone="a") as channel:
            connect(channel, 1 if policy else 2)
            zone[own].kill()
            wait_until("the other", lambda: outcomes(channel, 10) == {host(other): 10})


# What becomes of a call.


def test_a_server_that_fails_calls_is_ejected_for_as_long_as_there_is_the_policy(client: Open) -> None:
    with pods(3) as servers, control_plane(*servers) as plane:
        bad, *good = servers
        fault(bad, fault="error=UNAVAILABLE", fault_for="60s")
        with client(plane) as channel:
            connect(channel, 2)
            plane.apply("outlier_detection")
            wait_until("an ejection", lambda: outcomes(channel, 30).keys() == set(map(host, good)))
            assert outcomes(channel, 30).keys() == set(map(host, good))
            plane.configure()
            wait_until("its end", lambda: outcomes(channel, 30)["UNAVAILABLE"] == pytest.approx(10, abs=1))


def test_failures_in_a_row_eject_for_envoy_alone() -> None:
    """gRFC A50 has no consecutive_5xx: the field is taken, and ignored."""
    only = edited("outlier_detection", "failure_percentage: 100", "failure_percentage: 0")
    only = [text.replace("consecutive_5xx: 0", "consecutive_5xx: 100") for text in only]
    with pods(3) as own, control_plane(*own) as plane:
        plane.configure(*only)
        bad, *good = own
        fault(bad, fault="error=UNAVAILABLE", fault_for="60s")
        with proxyless(plane) as ours, through_envoy(plane) as envoys:
            connect(ours, 2)
            wait_until("an ejection", lambda: outcomes(envoys, 30).keys() == set(map(host, good)))
            assert outcomes(ours, 30)["UNAVAILABLE"] == pytest.approx(10, abs=1)


def at_once(channel: grpc.Channel, calls: int) -> Counter[str]:
    """What becomes of so many calls that last long enough to be under way all together."""
    stub = GreeterStub(channel)
    slow = (("fault", "delay=1s"),)
    made = [stub.SayHello.future(HelloRequest(name="you"), timeout=30, metadata=slow) for _ in range(calls)]
    return Counter(call.code().name for call in made)


def test_calls_beyond_the_limit_of_those_under_way_fail_at_once_and_without_the_policy_none_does(
    client: Open, plane: ControlPlane
) -> None:
    with client(plane) as channel:
        connect(channel, 3)
        assert at_once(channel, 30) == {"OK": 30}
        plane.apply("circuit_breaking")
        wait_until("the limit", lambda: at_once(channel, 30) == {"OK": 10, "UNAVAILABLE": 20})
        assert at_once(channel, 10) == {"OK": 10}


def test_grpc_says_that_a_circuit_breaker_dropped_the_call(plane: ControlPlane) -> None:
    plane.configure(*edited("circuit_breaking", "max_requests: 10", "max_requests: 0"))
    with proxyless(plane) as channel:
        call = greet(GreeterStub(channel), "you", 5)
    assert (call.code, call.details) == ("UNAVAILABLE", "circuit breaker drop")


def test_a_slow_call_is_cut_but_not_a_stream_and_without_the_policy_neither_is(
    client: Open, plane: ControlPlane
) -> None:
    slow = (("fault", "delay=5s"),)
    with client(plane) as channel:
        stub = GreeterStub(channel)
        connect(channel, 3)
        without = stub.SayHello.future(HelloRequest(name="you"), timeout=40, metadata=slow)
        assert greet(stub, "you", 5).code == "OK"  # so the one before it is under way, too
        plane.apply("timeouts_and_retries")
        wait_until("the policy", lambda: greet(stub, "you", 40, slow).code == "DEADLINE_EXCEEDED", timeout=40)
        call = stub.SayHello.future(HelloRequest(name="you"), timeout=40, metadata=slow)
        stream = stub.SayHelloStream(iter([HelloRequest(name="you")]), timeout=40, metadata=slow)
        assert len(list(stream)) == 1
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert without.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(("limit", "code"), [("1s", "DEADLINE_EXCEEDED"), ("2.5s", "OK")])
def test_a_python_client_takes_one_to_two_seconds_off_a_time_limit(plane: ControlPlane, limit: str, code: str) -> None:
    """grpc/grpc#34547: C-core takes a call's beginning from a clock that is so much behind the one that ends it."""
    plane.configure(*edited("timeouts_and_retries", "4s", limit))
    with proxyless(plane) as channel:
        assert {greet(GreeterStub(channel), "you", 5).code for _ in range(30)} == {code}


def test_a_retry_hides_an_unavailable_and_the_client_counts_the_attempts(client: Open) -> None:
    with pods(3) as servers, control_plane(*servers) as plane:
        bad, *good = servers
        fault(bad, fault="error=UNAVAILABLE", fault_for="60s")
        with client(plane) as channel:
            stub = GreeterStub(channel)
            connect(channel, 2)
            assert outcomes(channel, 30)["UNAVAILABLE"] == pytest.approx(10, abs=1)
            plane.apply("timeouts_and_retries")
            wait_until("the policy", lambda: not outcomes(channel, 10)["UNAVAILABLE"])
            calls = [greet(stub, "you", 5) for _ in range(30)]
            assert {call.backend for call in calls} == set(map(host, good))
            assert {call.attempts for call in calls} == {1, 2}


def test_only_what_the_policy_names_is_tried_again_and_three_times_at_most(client: Open, plane: ControlPlane) -> None:
    plane.apply("timeouts_and_retries")
    with client(plane) as channel:
        connect(channel, 3)
        for code, attempts in (("UNAVAILABLE", 3), ("INTERNAL", 1)):
            call = greet(GreeterStub(channel), "you", 5, [("fault", f"error={code}")])
            assert (call.code, call.attempts) == (code, attempts)


# What is refused.


def test_a_policy_that_grpc_refuses_is_logged_and_calls_go_on_by_the_last_good_one(
    plane: ControlPlane, servers: Pods, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = r"NACK from a-test at \S+ of Cluster greeter-server version \w+: .*LB policy is not supported"
    with proxyless(plane) as channel:
        connect(channel, 3)
        assert not re.search(refusal, caplog.text)
        plane.apply("refused")
        wait_until("a NACK", lambda: re.search(refusal, caplog.text))
        counts = outcomes(channel, 30)
        assert turns(counts, list(map(host, servers[:3]))), counts
        plane.publish(*servers[:2])  # what else changes is taken
        wait_until("two", lambda: outcomes(channel, 10) == dict.fromkeys(map(host, servers[:2]), 5))
        plane.apply("circuit_breaking")  # and the next Cluster, too
        wait_until("its limit", lambda: at_once(channel, 11)["UNAVAILABLE"] == 1)


def test_a_client_that_starts_when_the_policy_is_there_has_no_last_good_one(plane: ControlPlane) -> None:
    plane.apply("refused")
    with proxyless(plane) as channel:
        call = greet(GreeterStub(channel), "you", 5)
        assert call.code == "UNAVAILABLE"
        assert re.search("CDS resource greeter-server: .*LB policy is not supported", call.details)
        plane.configure()
        wait_until("its end", lambda: outcomes(channel, 1)["UNAVAILABLE"] == 0)


def test_what_grpc_refuses_envoy_takes(plane: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    plane.apply("refused")
    with through_envoy(plane) as channel:
        connect(channel, 3)
    assert "NACK" not in caplog.text
