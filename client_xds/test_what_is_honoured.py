"""What of xDS gRPC for Python honours, ignores or refuses: the rows of the tutorial's table that no policy here has."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import yaml

from client_xds.client import open_channel
from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, fault, outcomes
from testing.client_xds import SERVICE, ControlPlane, bootstrap, control_plane
from testing.processes import greeters, wait_until

PREFIX = "type.googleapis.com/envoy"
V2 = f"{SERVICE}-v2"
NOT_SUPPORTED = "[field:lb_policy error:LB policy is not supported]"
NONE_SUPPORTED = "[field:load_balancing_policy error:no supported load balancing policy config found]"
HALF = {"numerator": 50, "denominator": "HUNDRED"}
ALL = {"numerator": 100, "denominator": "HUNDRED"}

Fields = dict[str, Any]


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    """Three that are well, by host: HOST:PORT."""
    with greeters(3, "--faults") as started:
        yield {address.rpartition(":")[0]: address for _, address in started}


@pytest.fixture
def plane(hosts: dict[str, str]) -> Iterator[ControlPlane]:
    """It knows two of them as one Service, and the third as another."""
    *first, last = hosts.values()
    with control_plane() as running:
        running.publish(*first)
        running.publish(last, service=V2)
        running.start()
        yield running


@pytest.fixture
def channel(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[grpc.Channel]:
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", bootstrap(plane.address))
    with open_channel(f"xds:///{SERVICE}") as opened:
        yield opened


def cluster(**fields: object) -> str:
    eds = {"eds_config": {"ads": {}, "resource_api_version": "V3"}}
    kind = f"{PREFIX}.config.cluster.v3.Cluster"
    return yaml.safe_dump({"@type": kind, "name": SERVICE, "type": "EDS", "eds_cluster_config": eds} | fields)


def policies(*names: str) -> Fields:
    """The field load_balancing_policy, in the order of preference."""
    kind = f"{PREFIX}.extensions.load_balancing_policies"
    configs = [{"name": name, "typed_config": {"@type": f"{kind}.{name}"}} for name in names]
    return {"load_balancing_policy": {"policies": [{"typed_extension_config": each} for each in configs]}}


def routes(*each: Fields) -> str:
    host = {"name": "all", "domains": ["*"], "routes": list(each)}
    kind = f"{PREFIX}.config.route.v3.RouteConfiguration"
    return yaml.safe_dump({"@type": kind, "name": SERVICE, "virtual_hosts": [host]})


def route(cluster: str = SERVICE, match: Fields | None = None, **action: object) -> Fields:
    return {"match": match or {"prefix": ""}, "route": {"cluster": cluster} | action}


def listener(name: str, optional: bool = False, **config: object) -> str:
    """With a filter of this name before the router."""
    filters = f"{PREFIX}.extensions.filters"
    source = {"ads": {}, "resource_api_version": "V3"}
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "rds": {"route_config_name": SERVICE, "config_source": source},
        "http_filters": [
            {"name": "first", "is_optional": optional, "typed_config": {"@type": f"{filters}.http.{name}"} | config},
            {"name": "router", "typed_config": {"@type": f"{filters}.http.router.v3.Router"}},
        ],
    }
    kind = f"{PREFIX}.config.listener.v3.Listener"
    return yaml.safe_dump({"@type": kind, "name": SERVICE, "api_listener": {"api_listener": manager}})


def load_assignment(*localities: Fields, **fields: object) -> str:
    kind = f"{PREFIX}.config.endpoint.v3.ClusterLoadAssignment"
    return yaml.safe_dump({"@type": kind, "cluster_name": SERVICE, "endpoints": list(localities)} | fields)


def locality(*addresses: str, zone: str = "", **fields: object) -> Fields:
    return {
        "locality": {"zone": zone},
        "load_balancing_weight": 1,
        "lb_endpoints": [endpoint(address) for address in addresses],
    } | fields


def endpoint(address: str, **fields: object) -> Fields:
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}} | fields


def counted(channel: grpc.Channel, *metadata: tuple[str, str], calls: int = 40) -> Counter[str]:
    made = (greet(GreeterStub(channel), "you", 5, metadata) for _ in range(calls))
    return Counter(call.backend or call.details for call in made)


# The policy of a Cluster.


@pytest.mark.parametrize("name", ["LEAST_REQUEST", "RANDOM", "MAGLEV"])
def test_other_policies_are_refused(plane: ControlPlane, channel: grpc.Channel, name: str) -> None:
    plane.configure(cluster(lb_policy=name))
    [said] = counted(channel)
    assert NOT_SUPPORTED in said


@pytest.mark.parametrize("name", ["least_request.v3.LeastRequest", "random.v3.Random", "maglev.v3.Maglev"])
def test_by_the_newer_field_too(plane: ControlPlane, channel: grpc.Channel, name: str) -> None:
    plane.configure(cluster(**policies(name)))
    [said] = counted(channel)
    assert NONE_SUPPORTED in said


@pytest.mark.parametrize(
    ("names", "backends"),
    [
        (["round_robin.v3.RoundRobin"], 2),
        (["client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin"], 2),
        (["ring_hash.v3.RingHash"], 2),
        (["pick_first.v3.PickFirst"], 1),
        (["maglev.v3.Maglev", "round_robin.v3.RoundRobin"], 2),
    ],
)
def test_the_newer_field_may_name_several_and_the_first_that_is_known_is_used(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str], names: list[str], backends: int
) -> None:
    """And lb_policy is ignored beside it: so one resource suits Envoy and gRPC."""
    plane.configure(cluster(lb_policy="MAGLEV", **policies(*names)))
    connect(channel, backends)
    used = counted(channel).keys()
    assert used <= hosts.keys()
    assert len(used) == backends


def test_another_hash_function_is_refused(plane: ControlPlane, channel: grpc.Channel) -> None:
    plane.configure(cluster(lb_policy="RING_HASH", ring_hash_lb_config={"hash_function": "MURMUR_HASH_2"}))
    [said] = counted(channel)
    assert "[field:ring_hash_lb_config.hash_function error:invalid hash function]" in said


@pytest.mark.parametrize(("source", "backends"), [("header", 1), ("cookie", 2)])
def test_a_ring_goes_by_headers_and_not_by_cookies(
    plane: ControlPlane, channel: grpc.Channel, source: str, backends: int
) -> None:
    policy = {"header": {"header_name": "user"}} if source == "header" else {"cookie": {"name": "user"}}
    plane.configure(cluster(lb_policy="RING_HASH"), routes(route(hash_policy=[policy])))
    assert len(counted(channel, ("user", "ann"), ("cookie", "user=ann"))) == backends


@pytest.mark.parametrize("kind", ["STATIC", "STRICT_DNS"])
def test_clusters_of_other_types_are_refused(plane: ControlPlane, channel: grpc.Channel, kind: str) -> None:
    plane.configure(cluster(type=kind))
    [said] = counted(channel)
    assert "[field:type error:unknown discovery type]" in said


def test_a_success_rate_is_judged_where_that_is_enforced_in_writing_and_not_by_default(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]
) -> None:
    """Of two Clusters with the same servers, of which one fails every call."""
    judged = {"interval": "1s", "success_rate_minimum_hosts": 3, "success_rate_request_volume": 5}
    judged["success_rate_stdev_factor"] = 1000  # one of three is 1.4 standard deviations below the mean at most
    eds = {"service_name": SERVICE, "eds_config": {"ads": {}, "resource_api_version": "V3"}}
    by_default = cluster(name="default", outlier_detection=judged, eds_cluster_config=eds)
    enforced = cluster(
        name="enforced", outlier_detection=judged | {"enforcing_success_rate": 100}, eds_cluster_config=eds
    )
    match = {"prefix": "", "headers": [{"name": "cluster", "string_match": {"exact": "enforced"}}]}
    plane.configure(by_default, enforced, routes(route("enforced", match), route("default")))
    plane.publish(*hosts.values())
    bad, *good = hosts
    connect(channel, 3)
    fault(hosts[bad], fault="error=UNAVAILABLE", fault_for="60s")
    try:
        for_the_judged = ("cluster", "enforced")
        wait_until("an ejection", lambda: [counted(channel), counted(channel, for_the_judged).keys()][1] == set(good))
        assert counted(channel, calls=30)["asked for by fault metadata"] == pytest.approx(10, abs=1)
    finally:
        fault(hosts[bad], fault="delay=0s")  # it is well again


# Where calls go.


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"path": "/helloworld.Greeter/SayHello"}, True),
        ({"path": "/helloworld.Greeter/SayHelloStream"}, False),
        ({"prefix": "/helloworld.Greeter/"}, True),
        ({"safe_regex": {"regex": ".*Hello"}}, True),
        ({"prefix": "", "headers": [{"name": "canary", "string_match": {"exact": "yes"}}]}, True),
        ({"prefix": "", "headers": [{"name": "canary", "string_match": {"exact": "no"}}]}, False),
        ({"prefix": "", "query_parameters": [{"name": "canary", "present_match": True}]}, False),
        ({"prefix": "", "runtime_fraction": {"default_value": ALL}}, True),
    ],
)
def test_routes_are_matched(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str], match: Fields, hit: bool
) -> None:
    plane.configure(routes(route(V2, match), route()))
    *first, last = hosts
    assert counted(channel, ("canary", "yes")).keys() == ({last} if hit else set(first))


@pytest.mark.parametrize("action", [{"redirect": {"host_redirect": "x"}}, {"direct_response": {"status": 503}}])
def test_a_route_that_leads_to_no_cluster_fails_calls(
    plane: ControlPlane, channel: grpc.Channel, action: Fields
) -> None:
    plane.configure(routes({"match": {"prefix": ""}} | action))
    assert counted(channel).keys() == {"Matching route has inappropriate action"}


def test_a_path_separated_prefix_is_refused(plane: ControlPlane, channel: grpc.Channel) -> None:
    plane.configure(routes(route(match={"path_separated_prefix": "/helloworld.Greeter"})))
    [said] = counted(channel)
    assert "[field:virtual_hosts[0].routes[0].match error:invalid path specifier]" in said


def test_a_localitys_weight_counts_and_an_endpoints_does_not(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]
) -> None:
    (one, first), (two, second), (other, third) = hosts.items()
    heavy = locality(zone="a", load_balancing_weight=4)
    heavy["lb_endpoints"] = [endpoint(first, load_balancing_weight=9), endpoint(second)]
    plane.configure(load_assignment(heavy, locality(third, zone="b")))
    connect(channel, 3)
    counts = counted(channel, calls=1000)
    assert counts[other] == pytest.approx(200, abs=60)
    assert counts[one] == pytest.approx(counts[two], abs=2)


def test_endpoints_that_are_said_to_be_unhealthy_or_draining_get_no_calls(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]
) -> None:
    first, second, third = hosts.values()
    only = locality(first)
    only["lb_endpoints"] += [endpoint(second, health_status="UNHEALTHY"), endpoint(third, health_status="DRAINING")]
    plane.configure(load_assignment(only))
    assert counted(channel).keys() == {next(iter(hosts))}


def test_a_share_of_the_calls_may_be_dropped(plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]) -> None:
    drop = {"category": "too much", "drop_percentage": HALF}
    plane.configure(load_assignment(locality(*hosts.values()), policy={"drop_overloads": [drop]}))
    assert counted(channel, calls=200)["EDS-configured drop: too much"] == pytest.approx(100, abs=35)


def test_a_session_stays_with_its_server_by_a_cookie(plane: ControlPlane, channel: grpc.Channel) -> None:
    """gRFC A55. gRPC has no jar for cookies: the caller takes it from the answer, and sends it along."""
    kind = f"{PREFIX}.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
    state = {"@type": kind, "cookie": {"name": "backend", "path": "/helloworld.Greeter/"}}
    plane.configure(listener("stateful_session.v3.StatefulSession", session_state={"name": "x", "typed_config": state}))
    connect(channel, 2)
    reply, call = GreeterStub(channel).SayHello.with_call(HelloRequest(name="you"), timeout=5)
    [cookie] = [str(value).partition(";")[0] for key, value in call.initial_metadata() if key == "set-cookie"]
    assert counted(channel, ("cookie", cookie)) == {reply.backend_ip: 40}


def test_a_locality_without_a_weight_is_ignored(
    plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]
) -> None:
    (one, first), (_, second), _ = hosts.items()
    weightless = locality(second, zone="b")
    del weightless["load_balancing_weight"]
    plane.configure(load_assignment(locality(first, zone="a"), weightless))
    assert counted(channel) == {one: 40}


# What becomes of a call.


def test_faults_are_injected(plane: ControlPlane, channel: grpc.Channel) -> None:
    plane.configure(listener("fault.v3.HTTPFault", abort={"grpc_status": 14, "percentage": HALF}))
    assert counted(channel, calls=200)["Fault injected"] == pytest.approx(100, abs=35)


def test_a_filter_that_is_not_known_is_refused(plane: ControlPlane, channel: grpc.Channel) -> None:
    plane.configure(listener("buffer.v3.Buffer", max_request_bytes=1000))
    [said] = counted(channel)
    assert "unsupported filter type" in said


def test_a_filter_that_is_not_known_and_optional_is_ignored(plane: ControlPlane, channel: grpc.Channel) -> None:
    plane.configure(listener("buffer.v3.Buffer", optional=True, max_request_bytes=1000))
    assert greet(GreeterStub(channel), "you", 5).code == "OK"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"grpc_timeout_header_max": "1s"}, "DEADLINE_EXCEEDED"),
        ({"grpc_timeout_header_max": "0s", "max_stream_duration": "1s"}, "OK"),  # 0 is no limit
    ],
)
def test_the_clients_own_deadline_is_limited_by_grpc_timeout_header_max(
    plane: ControlPlane, channel: grpc.Channel, limits: Fields, code: str
) -> None:
    plane.configure(routes(route(max_stream_duration=limits)))
    assert greet(GreeterStub(channel), "you", 5, [("fault", "delay=1500ms")]).code == code


@pytest.mark.parametrize(
    "action",
    [
        {"timeout": "0.1s"},
        {"retry_policy": {"retry_on": "deadline-exceeded", "per_try_timeout": "0.1s"}},
    ],
)
def test_envoys_timeout_of_a_route_and_of_a_try_are_ignored(
    plane: ControlPlane, channel: grpc.Channel, action: Fields
) -> None:
    plane.configure(routes(route(**action)))
    assert greet(GreeterStub(channel), "you", 5, [("fault", "delay=500ms")]).code == "OK"


@pytest.mark.parametrize(
    ("words", "code", "attempts"),
    [
        ("cancelled", "CANCELLED", 3),
        ("deadline-exceeded", "DEADLINE_EXCEEDED", 3),
        ("internal", "INTERNAL", 3),
        ("resource-exhausted", "RESOURCE_EXHAUSTED", 3),
        ("unavailable,5xx", "UNAVAILABLE", 3),
        ("5xx,gateway-error,reset,connect-failure,refused-stream,retriable-status-codes", "UNAVAILABLE", 1),
    ],
)
def test_what_is_retried(plane: ControlPlane, channel: grpc.Channel, words: str, code: str, attempts: int) -> None:
    plane.configure(routes(route(retry_policy={"retry_on": words, "num_retries": 2})))
    call = greet(GreeterStub(channel), "you", 5, [("fault", f"error={code}")])
    assert (call.code, call.attempts) == (code, attempts)


def retried(channel: grpc.Channel, deadline: float = 5) -> tuple[str, int]:
    """What becomes of a call that every server fails: its code, and the attempts."""
    call = greet(GreeterStub(channel), "you", deadline, [("fault", "error=UNAVAILABLE")])
    return call.code, call.attempts


def test_no_call_is_tried_more_than_five_times(plane: ControlPlane, channel: grpc.Channel) -> None:
    back_off = {"base_interval": "0.01s"}
    plane.configure(
        routes(route(retry_policy={"retry_on": "unavailable", "num_retries": 9, "retry_back_off": back_off}))
    )
    assert {retried(channel) for _ in range(20)} == {("UNAVAILABLE", 5)}


def test_after_a_back_off_of_a_millisecond_some_calls_hang(plane: ControlPlane, channel: grpc.Channel) -> None:
    """grpc/grpc#41036: about every second one does, until its deadline."""
    back_off = {"base_interval": "0.001s"}
    plane.configure(
        routes(route(retry_policy={"retry_on": "unavailable", "num_retries": 9, "retry_back_off": back_off}))
    )
    connect(channel, 2)
    assert "DEADLINE_EXCEEDED" in {retried(channel, deadline=1)[0] for _ in range(20)}


@pytest.mark.parametrize(
    "threshold", [{"max_connections": 1}, {"max_pending_requests": 1}, {"max_requests": 1, "priority": "HIGH"}]
)
def test_of_circuit_breakers_only_the_requests_at_default_priority_count(
    plane: ControlPlane, channel: grpc.Channel, threshold: Fields
) -> None:
    plane.configure(cluster(circuit_breakers={"thresholds": [threshold]}))
    stub = GreeterStub(channel)
    slow = (("fault", "delay=500ms"),)
    calls = [stub.SayHello.future(HelloRequest(name="you"), timeout=10, metadata=slow) for _ in range(10)]
    assert Counter(call.code().name for call in calls) == {"OK": 10}


def test_active_health_checks_are_ignored(plane: ControlPlane, channel: grpc.Channel, hosts: dict[str, str]) -> None:
    check = {"timeout": "1s", "interval": "1s", "unhealthy_threshold": 1, "healthy_threshold": 1}
    plane.configure(cluster(health_checks=[check | {"grpc_health_check": {"service_name": "no-such"}}]))
    connect(channel, 2)
    assert outcomes(channel, 30).keys() == set(list(hosts)[:2])
