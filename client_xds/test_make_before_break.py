"""The order of changes on the wire: what routes lead to is there before them, and goes after them.

Source: "Eventual consistency considerations" in Envoy's xDS protocol reference.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from client_xds import stream
from client_xds.types import Type
from testing.ads import Client, client, node
from testing.client_xds import SERVICE, ControlPlane, control_plane, leading_to
from testing.processes import wait_until


def led(response: object) -> list[str]:
    """The clusters that routes lead to."""
    resource = response.resources[SERVICE]  # type: ignore[attr-defined]
    return [route.route.cluster for host in resource.virtual_hosts for route in host.routes]


@contextmanager
def envoy(running: ControlPlane) -> Iterator[Client]:
    """A client that wants all, and has it: routes that lead to the cluster blue."""
    running.publish("10.0.0.1:8000", service="blue")
    running.publish("10.0.0.2:8000", service="green")
    running.configure(*leading_to("blue"))
    with client(running, node(listeners={SERVICE: "127.0.0.1:9000"})) as opened:
        opened.ask(Type.CLUSTER)
        assert opened.take().told == (Type.CLUSTER, ["blue"])
        opened.ask(Type.ENDPOINTS, "blue")
        assert opened.take().told == (Type.ENDPOINTS, ["blue"])
        opened.ask(Type.LISTENER)
        assert opened.take().told == (Type.LISTENER, [SERVICE])
        opened.ask(Type.ROUTES, SERVICE)
        assert led(opened.take()) == ["blue"]
        yield opened


def fence(running: ControlPlane, opened: Client, address: str, name: str = "blue") -> None:
    """That nothing else was to be told before this, which is."""
    running.publish(address, service=name)
    response = opened.take()
    assert (response.told, response.servers) == ((Type.ENDPOINTS, [name]), [address])


def test_routes_that_move_to_a_new_cluster_come_after_its_endpoints_and_the_old_one_goes_after_them() -> None:
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        running.configure(*leading_to("green"))
        response = opened.read()
        assert response.told == (Type.CLUSTER, ["blue", "green"])
        fence(running, opened, "10.0.0.3:8000")  # not before the clusters are taken
        opened.ack(response)
        fence(running, opened, "10.0.0.4:8000")  # nor before the endpoints are asked for
        opened.ask(Type.ENDPOINTS, "blue", "green")
        endpoints = opened.read()
        assert endpoints.told == (Type.ENDPOINTS, ["green"])
        opened.ask(Type.CLUSTER)  # the first that it could come after, were it not waited for:
        running.publish("10.0.0.5:8000", service="blue")
        other = opened.read()
        assert other.told == (Type.ENDPOINTS, ["blue"])  # they are not taken yet
        opened.ack(other)  # says that those before are, too
        routes = opened.read()
        assert (routes.type, led(routes)) == (Type.ROUTES, ["green"])
        fence(running, opened, "10.0.0.6:8000")  # the old cluster stays until the routes are taken
        opened.ack(routes)
        assert opened.take().told == (Type.CLUSTER, ["green"])


def test_a_client_that_refuses_the_new_routes_keeps_the_old_cluster_until_it_takes_others() -> None:
    """It goes on by the old routes."""
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        running.configure(*leading_to("green"))
        assert opened.take().told == (Type.CLUSTER, ["blue", "green"])
        opened.ask(Type.ENDPOINTS, "blue", "green")
        assert opened.take().told == (Type.ENDPOINTS, ["green"])
        opened.nack(opened.read(), "I like blue")
        fence(running, opened, "10.0.0.3:8000")
        running.configure(*leading_to("blue"))
        assert led(opened.take()) == ["blue"]
        assert opened.take().told == (Type.CLUSTER, ["blue"])


def test_a_new_listener_waits_for_what_its_routes_lead_to_as_well() -> None:
    listeners = {SERVICE: "127.0.0.1:9000", "payments": "127.0.0.1:9001"}
    with control_plane("10.0.0.9:8000") as running, client(running, node(listeners=listeners)) as opened:
        opened.ask(Type.CLUSTER)
        opened.take()
        opened.ask(Type.ENDPOINTS, SERVICE)
        opened.take()
        opened.ask(Type.LISTENER)
        assert opened.take().told == (Type.LISTENER, [SERVICE])
        running.publish("10.0.1.1:8000", service="payments")
        assert opened.take().told == (Type.CLUSTER, [SERVICE, "payments"])
        fence(running, opened, "10.0.0.8:8000", SERVICE)
        opened.ask(Type.ENDPOINTS, SERVICE, "payments")
        assert opened.take().told == (Type.ENDPOINTS, ["payments"])
        assert opened.take().told == (Type.LISTENER, [SERVICE, "payments"])


def test_routes_do_not_wait_for_endpoints_of_which_there_will_be_none() -> None:
    """Their name is none that a Service could have."""
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        running.configure(*leading_to("No_Service"))
        assert opened.take().told == (Type.CLUSTER, ["No_Service", "blue"])
        opened.ask(Type.ENDPOINTS, "blue", "No_Service")
        assert led(opened.take()) == ["No_Service"]


def test_a_client_that_never_asks_for_the_endpoints_gets_its_routes_after_a_while_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        monkeypatch.setattr(stream, "HOLD", 0.3)
        for old, new in (("blue", "green"), ("green", "white")):
            running.configure(*leading_to(new))
            assert opened.take().told == (Type.CLUSTER, [old, new])
            fence(running, opened, f"10.0.0.{ord(new[0])}:8000")
            assert led(opened.take()) == [new]
            assert opened.take().told == (Type.CLUSTER, [new])


def test_a_cluster_that_changes_is_followed_by_its_endpoints_again_and_routes_wait_for_them() -> None:
    """An Envoy uses a changed Cluster when it has been told its endpoints anew, or after 15 s."""
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        routes, cluster = leading_to("blue")
        changed = cluster + "lb_policy: RANDOM\n"
        running.configure(routes.replace("cluster: blue", "cluster: blue, timeout: 1s"), changed)
        response = opened.read()
        assert response.told == (Type.CLUSTER, ["blue"])
        again = opened.read()
        assert (again.told, again.servers) == ((Type.ENDPOINTS, ["blue"]), ["10.0.0.1:8000"])
        opened.ack(response)
        fence(running, opened, "10.0.0.3:8000")
        assert led(opened.take()) == ["blue"]


def test_changes_back_and_forth_that_the_client_has_not_seen_leave_no_old_cluster() -> None:
    with control_plane("10.0.0.9:8000") as running, envoy(running) as opened:
        running.configure(*leading_to("green"))
        response = opened.read()
        assert response.told == (Type.CLUSTER, ["blue", "green"])
        running.configure(*leading_to("blue"))  # the routes have not been told yet: to the client they are as they were
        opened.ack(response)
        opened.ask(Type.ENDPOINTS, "blue", "green")
        assert opened.take().told == (Type.ENDPOINTS, ["green"])
        assert opened.take().told == (Type.CLUSTER, ["blue"])
        opened.ask(Type.ENDPOINTS, "blue")
        wait_until("no more is watched", lambda: running.watched() == {SERVICE, "blue"})
        fence(running, opened, "10.0.0.3:8000")


def test_a_proxyless_client_keeps_the_old_cluster_until_it_has_the_routes_that_do_without() -> None:
    """It asks for clusters by their names, once routes lead to them."""
    with control_plane("10.0.0.9:8000") as running, client(running) as opened:
        running.publish("10.0.0.1:8000", service="blue")
        running.configure(*leading_to("one"))
        for type_, names in ((Type.ROUTES, [SERVICE]), (Type.CLUSTER, ["one"]), (Type.ENDPOINTS, ["one"])):
            opened.ask(type_, *names)
            opened.take()
        running.configure(*leading_to("two"))
        routes = opened.read()
        assert led(routes) == ["two"]  # of the cluster one it was not told yet that it is no more
        opened.ask(Type.CLUSTER, "one", "two")
        response = opened.take()
        assert response.told == (Type.CLUSTER, ["one", "two"])
        opened.ack(routes)
        assert opened.take().told == (Type.CLUSTER, ["two"])
