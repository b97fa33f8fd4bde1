"""What the control plane answers on the wire: resources, versions, nonces and names (ADS, State of the World)."""

import logging

import grpc
import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from client_xds.types import Type
from testing.ads import Client, Response, client, node
from testing.client_xds import SERVICE, control_plane
from testing.processes import wait_until

THREE = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")
ALL = (Type.LISTENER, Type.ROUTES, Type.CLUSTER, Type.ENDPOINTS)


def all_of(opened: Client, *names: str) -> dict[Type, Response]:
    """Ask as a proxyless client does, for one type after the other."""
    told = {}
    for type_ in ALL:
        opened.ask(type_, *names)
        told[type_] = opened.take()
        assert told[type_].told == (type_, sorted(names))
    return told


# Resources


def test_each_type_is_answered_as_it_is_asked_for_and_leads_to_the_next() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        told = {type_: response.resources[SERVICE] for type_, response in all_of(opened, SERVICE).items()}
    manager = told[Type.LISTENER].api_listener.api_listener
    assert manager.TypeName().endswith(".HttpConnectionManager")
    assert SERVICE.encode() in manager.value  # its rds.route_config_name
    [host] = told[Type.ROUTES].virtual_hosts
    assert [route.route.cluster for route in host.routes] == [SERVICE]
    assert told[Type.CLUSTER].eds_cluster_config.eds_config.HasField("ads")
    [locality] = told[Type.ENDPOINTS].endpoints
    assert (locality.load_balancing_weight.value, locality.priority) == (3, 0)
    addresses = [each.endpoint.address.socket_address for each in locality.lb_endpoints]
    assert [f"{each.address}:{each.port_value}" for each in addresses] == list(THREE)


def test_nothing_is_said_before_all_is_known() -> None:
    with control_plane() as running, client(running) as opened:
        opened.ask(Type.LISTENER, SERVICE)
        opened.ask(Type.ENDPOINTS, SERVICE)
        wait_until("it has heard", lambda: running.watched() == {SERVICE})
        running.publish(*THREE[:1])
        running.publish(*THREE)
        running.start()
        assert opened.take().servers == list(THREE)  # the first that it is told of them is all that is known
        assert opened.take().told == (Type.LISTENER, [SERVICE])


@pytest.mark.parametrize(
    "name",
    [SERVICE, f"{SERVICE}:8000", f"{SERVICE}.shop", f"{SERVICE}.shop.svc:80", f"{SERVICE}.shop.svc.cluster.local.:1"],
)
def test_a_listener_is_had_by_any_name_of_its_service(name: str) -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.LISTENER, name)
        response = opened.take()
        assert response.told == (Type.LISTENER, [name])
        assert SERVICE.encode() in response.resources[name].api_listener.api_listener.value


@pytest.mark.parametrize(
    "name", [f"{SERVICE}.other", f"{SERVICE}.shop.pod", "payments", "", ".", "*.shop", f"{SERVICE}/"]
)
def test_by_no_other_name_is_there_a_listener(name: str) -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.LISTENER, name)
        assert opened.take().told == (Type.LISTENER, [])


def zones(response: Response) -> dict[str, tuple[int, int, int]]:
    """Of each locality its priority, its weight, and how many endpoints it has."""
    [assignment] = response.resources.values()
    assert isinstance(assignment, ClusterLoadAssignment)
    return {
        each.locality.zone: (each.priority, each.load_balancing_weight.value, len(each.lb_endpoints))
        for each in assignment.endpoints
    }


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("west", {"west": (0, 2, 2), "east": (1, 1, 1), "": (1, 1, 1)}),
        ("east", {"west": (1, 2, 2), "east": (0, 1, 1), "": (1, 1, 1)}),
        ("north", {"west": (0, 2, 2), "east": (0, 1, 1), "": (0, 1, 1)}),  # none there, and no gap in the priorities
        ("", {"west": (0, 2, 2), "east": (0, 1, 1), "": (0, 1, 1)}),  # a client that has no zone prefers none
    ],
)
def test_own_zone_first_is_by_the_zone_of_the_client(zone: str, expected: dict[str, tuple[int, int, int]]) -> None:
    known = dict(zip(THREE, ("west", "west", "east"), strict=True))
    with control_plane() as running, client(running, node(zone=zone)) as opened:
        running.publish(*THREE, "10.0.0.4:8000", zones=known)
        running.start()
        opened.ask(Type.ENDPOINTS, f"{SERVICE}/own-zone-first")
        assert zones(opened.take()) == expected
        opened.ask(Type.ENDPOINTS, SERVICE, f"{SERVICE}/own-zone-first")
        assert zones(opened.take()) == {"": (0, 4, 4)}


def test_the_zone_that_has_lost_its_last_server_leaves_no_gap() -> None:
    with control_plane() as running, client(running, node(zone="west")) as opened:
        running.publish(*THREE[:2], zones={THREE[0]: "west", THREE[1]: "east"})
        running.start()
        opened.ask(Type.ENDPOINTS, f"{SERVICE}/own-zone-first")
        assert zones(opened.take()) == {"west": (0, 1, 1), "east": (1, 1, 1)}
        running.publish(THREE[1], zones={THREE[1]: "east"})
        assert zones(opened.take()) == {"east": (0, 1, 1)}


def test_an_envoy_is_given_its_listeners_and_the_clusters_that_their_routes_lead_to() -> None:
    """It asks for all, by no name, and its node says what it serves locally."""
    envoy = node(listeners={SERVICE: "127.0.0.1:9000", "payments": "127.0.0.1:9001"})
    with control_plane(*THREE) as running, client(running, envoy) as opened:
        running.publish("10.0.1.1:8000", service="unrelated")
        opened.ask(Type.CLUSTER)
        assert opened.take().told == (Type.CLUSTER, [SERVICE])
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert opened.take().told == (Type.ENDPOINTS, [SERVICE])
        opened.ask(Type.LISTENER)
        response = opened.take()
        assert response.told == (Type.LISTENER, [SERVICE])
        socket = response.resources[SERVICE].address.socket_address
        assert (socket.address, socket.port_value) == ("127.0.0.1", 9000)
        running.publish("10.0.2.1:8000", service="payments")
        assert opened.take().told == (Type.CLUSTER, [SERVICE, "payments"])
        opened.ask(Type.ENDPOINTS, SERVICE, "payments")
        assert opened.take().told == (Type.ENDPOINTS, ["payments"])
        assert opened.take().told == (Type.LISTENER, [SERVICE, "payments"])


def test_an_envoy_for_which_there_is_nothing_is_told_so() -> None:
    """Or it would wait."""
    with control_plane(*THREE) as running, client(running) as opened:
        for type_ in (Type.CLUSTER, Type.LISTENER):
            opened.ask(type_)
            assert opened.take().told == (type_, [])


# Versions


def test_a_change_wakes_those_alone_who_watch_what_has_changed() -> None:
    with control_plane(*THREE) as running, client(running) as blue, client(running) as green:
        for opened, name in ((blue, "blue"), (green, "green")):
            running.publish("10.0.1.1:8000", service=name)
            all_of(opened, name)
        running.publish("10.0.1.2:8000", service="blue")
        response = blue.take()
        assert (response.told, response.servers) == ((Type.ENDPOINTS, ["blue"]), ["10.0.1.2:8000"])
        running.publish("10.0.1.3:8000", service="green")
        assert green.take().servers == ["10.0.1.3:8000"]  # the next that it is told


def test_what_is_the_same_again_is_no_change() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        first = opened.take()
        running.publish(*reversed(THREE))
        running.publish(*THREE)
        running.publish(*THREE[:2])
        assert opened.take().servers == list(THREE[:2])
        running.publish(*THREE)
        again = opened.take()
        assert (again.servers, again.version) == (list(THREE), first.version)
        assert again.nonce != first.nonce


def test_two_control_planes_give_the_same_version_to_the_same_content() -> None:
    with control_plane(*THREE) as one, control_plane(*THREE[:1]) as another:
        with client(one) as opened:
            versions = {type_: response.version for type_, response in all_of(opened, SERVICE).items()}
        another.publish(*THREE)
        with client(another) as opened:
            assert {type_: response.version for type_, response in all_of(opened, SERVICE).items()} == versions
            another.publish(*THREE[:1])
            assert opened.take().version != versions[Type.ENDPOINTS]


# Nonces


def test_an_ack_is_not_answered_nor_a_request_about_an_older_response() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        first = opened.take()
        running.publish(*THREE[:2])
        second = opened.read()
        opened.ack(first)
        for nonce in (first.nonce, "no such", "-1", "9" * 5000):
            opened.ask(Type.ENDPOINTS, "blue", response_nonce=nonce)
        opened.ask(Type.LISTENER, SERVICE)
        assert opened.take().type is Type.LISTENER  # all before it has been heard
        assert running.watched() == {SERVICE}
        opened.ask(Type.ENDPOINTS, SERVICE)
        opened.ack(second)
        running.publish(*THREE[:1])
        assert opened.take().servers == list(THREE[:1])  # the next, and still of the name that it had asked for


def test_a_first_request_with_a_nonce_is_not_answered() -> None:
    """It is about a response of which this stream knows nothing."""
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.CLUSTER, SERVICE, response_nonce="1")
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert opened.take().told == (Type.ENDPOINTS, [SERVICE])
        opened.ask(Type.CLUSTER, SERVICE)
        assert opened.take().told == (Type.CLUSTER, [SERVICE])


def test_a_version_from_before_a_new_stream_is_answered_as_none() -> None:
    """A client that comes again says what it had; it may have had it from one that knew other things."""
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE, version_info="7")
        assert opened.take().servers == list(THREE)


def test_a_nack_is_logged_and_not_answered_and_the_next_change_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="client_xds")
    with control_plane(*THREE) as running, client(running, node("shop-1")) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        refused = opened.read()
        opened.nack(refused, "the weights\nare wrong")
        wait_until("a line", lambda: "NACK" in caplog.text)
        running.publish(*THREE[:2])
        assert opened.take().servers == list(THREE[:2])
    [said] = [record for record in caplog.records if "NACK" in record.getMessage()]
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("NACK from shop-1 at ipv4:127.0.0.1:")
    of_what = f"of ClusterLoadAssignment {SERVICE} version {refused.version}"
    assert said.getMessage().endswith(rf"{of_what}: the weights\nare wrong")  # in one line


def test_what_a_client_says_late_of_an_older_response_counts_too(caplog: pytest.LogCaptureFixture) -> None:
    """A NACK that is on its way while the next response is, say."""
    caplog.set_level(logging.INFO, logger="client_xds")
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        refused = opened.read()
        running.publish(*THREE[:2], service="blue")
        running.publish(*THREE[:2])
        newer = opened.read()
        opened.nack(refused, "not that")
        opened.ack(newer)
        wait_until("the change is known to be taken", lambda: f"{newer.version}: " in caplog.text)
    assert f"{SERVICE} version {refused.version}: not that" in caplog.text
    assert "1 gone; ACK from 1 of 1 stream(s)" in caplog.text


@pytest.mark.parametrize(("refuses", "acked"), [(False, 1), (True, 0)])
def test_a_change_is_one_line_with_what_became_of_it(
    refuses: bool, acked: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="client_xds")
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        opened.take()
        running.publish(*THREE[1:], "10.0.0.4:8000")
        if refuses:
            opened.nack(response := opened.read(), "no")
        else:
            response = opened.take()
        line = (
            f"ClusterLoadAssignment {SERVICE} is version {response.version}: 3 endpoint(s), 1 new, 1 gone; "
            f"ACK from {acked} of 1 stream(s) within"
        )
        wait_until("the line", lambda: caplog.text.count(line) == 1)


# Names


def test_names_are_added_and_taken_away() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        for name in ("blue", "green"):
            running.publish("10.0.1.1:8000", service=name)
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert opened.take().told == (Type.ENDPOINTS, [SERVICE])
        opened.ask(Type.ENDPOINTS, SERVICE, "blue")
        assert opened.take().told == (Type.ENDPOINTS, ["blue"])  # the other it has
        opened.ask(Type.ENDPOINTS, "blue")  # is not answered
        wait_until("it is taken away", lambda: running.watched() == {"blue"})
        running.publish(*THREE[:1])  # which it watches no more
        opened.ask(Type.ENDPOINTS, "blue", "green")
        assert opened.take().told == (Type.ENDPOINTS, ["green"])


@pytest.mark.parametrize("type_", ALL)
def test_a_client_may_ask_for_nothing_any_more_and_then_again(type_: Type) -> None:
    fence = Type.CLUSTER if type_ is Type.ENDPOINTS else Type.ENDPOINTS
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(type_, SERVICE)
        first = opened.take()
        opened.ask(type_)
        opened.ask(fence, "blue")
        assert opened.take().type is fence
        assert running.watched() == {"blue"}
        opened.ask(type_, SERVICE)
        again = opened.take()
        assert (again.told, again.version) == (first.told, first.version)


def test_a_listener_or_cluster_that_is_added_comes_with_those_that_it_has() -> None:
    """What a response of these types lacks does not exist."""
    with control_plane(*THREE) as running, client(running) as opened:
        running.publish("10.0.1.1:8000", service="blue")
        for type_ in (Type.LISTENER, Type.CLUSTER):
            opened.ask(type_, SERVICE)
            opened.take()
            opened.ask(type_, SERVICE, "blue", "absent")
            assert opened.take().told == (type_, ["blue", SERVICE])


def test_a_service_that_is_deleted_takes_its_listener_and_cluster_along_and_comes_back_with_them() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        running.publish("10.0.1.1:8000", service="blue")
        for type_ in ALL:
            opened.ask(type_, SERVICE, "blue")
            opened.take()
        running.publish(there=False)
        gone = opened.take()
        assert (gone.told, gone.servers) == ((Type.ENDPOINTS, [SERVICE]), [])  # no server; the name is still there
        assert opened.take().told == (Type.LISTENER, ["blue"])
        assert opened.take().told == (Type.CLUSTER, ["blue"])  # after the Listener, which led to it, is gone
        running.publish(*THREE)  # of its routes it was told nothing, so they are not told again
        assert [opened.take().told for _ in range(3)] == [
            (Type.CLUSTER, ["blue", SERVICE]),
            (Type.ENDPOINTS, [SERVICE]),
            (Type.LISTENER, ["blue", SERVICE]),
        ]
        running.publish(*THREE[:1])
        assert opened.take().told == (Type.ENDPOINTS, [SERVICE])


def test_a_name_given_twice_is_one() -> None:
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE, SERVICE)
        assert opened.take().told == (Type.ENDPOINTS, [SERVICE])
        opened.ask(Type.ENDPOINTS, SERVICE, SERVICE, SERVICE, "blue")
        assert opened.take().told == (Type.ENDPOINTS, ["blue"])


def test_a_client_that_has_nothing_more_to_say_is_told_of_changes_until_it_goes() -> None:
    """As grpcurl does, which answers nothing."""
    with control_plane(*THREE) as running, client(running) as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        opened.send(None)
        assert opened.read().servers == list(THREE)
        for number in (1, 2):
            running.publish(*THREE[:number])
            assert opened.read().servers == list(THREE[:number])
        opened.end()
        wait_until("it is forgotten", lambda: (running.streams, running.watched()) == (0, set()))


def test_reflection_names_it_so_that_grpcurl_can_ask() -> None:
    with control_plane(*THREE) as running, grpc.insecure_channel(running.address) as channel:
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        [answer] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=20)
    names = {service.name for service in answer.list_services_response.service}
    assert {"envoy.service.discovery.v3.AggregatedDiscoveryService", "grpc.health.v1.Health"} <= names
