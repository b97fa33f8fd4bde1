"""grpclb on a cluster: what DNS says, how soon a change reaches calls, and what becomes of calls when pods go."""

import time

import pytest
from dnslib import QTYPE

from catalogue import ROOT
from testing import convergence
from testing.cluster import OwnNamespace, deployment, kubectl, manifests, pod_spec, until

MANIFESTS = ROOT / "grpclb" / "manifests"


def test_dns_names_the_balancers_alone_by_srv_and_all_pods_by_the_name_itself(namespace: OwnNamespace) -> None:
    namespace.apply(MANIFESTS)
    servers, balancers = namespace.wait_ready(3), namespace.addresses("balancer")
    full = f"greeter-server.{namespace.name}.svc.cluster.local."

    def places(port: str) -> set[tuple[str, int]]:
        found = namespace.ask_dns(f"_{port}._tcp.greeter-server", "SRV").rr
        return {(str(record.rdata.target), record.rdata.port) for record in found if record.rtype == QTYPE.SRV}

    def hosts(pods: set[str], port: int) -> set[tuple[str, int]]:
        return {(f"{address.replace('.', '-')}.{full}", port) for address in pods}

    # What the client's own question has put into the cache may be older: of the first pod of each kind.
    until("the balancers alone", lambda: places("grpclb") == hosts(balancers, 9000))
    until("the servers alone", lambda: places("grpc") == hosts(servers, 8000))

    def named() -> set[str]:
        return {str(record.rdata) for record in namespace.ask_dns("greeter-server").rr}

    until("all pods in DNS", lambda: named() == servers | balancers)


def test_it_may_read_endpointslices_and_nothing_else(namespace: OwnNamespace) -> None:
    namespace.apply(MANIFESTS)
    assert namespace.granted("greeter-balancer") == [
        ["endpointslices.discovery.k8s.io", "[]", "[]", "[get", "list", "watch]"]
    ]
    whom = f"--as=system:serviceaccount:{namespace.name}:greeter-balancer"
    for verb, what in (("watch", "endpointslices"), ("list", "pods"), ("get", "secrets"), ("delete", "endpointslices")):
        answer = namespace.kubectl("auth", "can-i", verb, what, whom, ok=(0, 1)).strip()
        assert answer == ("yes" if (verb, what) == ("watch", "endpointslices") else "no")
    assert kubectl("auth", "can-i", "list", "endpointslices", "-n", "default", whom, ok=(1,)).stdout.strip() == "no"


@pytest.mark.timeout(400)
def test_a_change_of_the_endpointslices_reaches_calls_at_once(namespace: OwnNamespace) -> None:
    """Over 20 pods that come and 20 that go; what expectations.toml gives them is for one in a hundred."""
    namespace.apply(MANIFESTS)
    namespace.wait_ready(3)
    result = convergence.measured(namespace)
    for delays in (result["first"], result["last"]):
        assert len(delays) >= 20
        assert delays[-1] < 2.0
    assert result["failed_attempts"] == 0, result["failure_details"]


@pytest.mark.parametrize("told", [True, False])
def test_the_pre_stop_is_enough_also_for_servers_that_hang_up_at_once(namespace: OwnNamespace, told: bool) -> None:
    """On SIGTERM they end in the midst of calls, of which each client has one at any time: what is left is the preStop.

    It is enough because the clients are told in it. With no balancer to tell them, calls fail.
    """
    objects = manifests("grpclb")
    del pod_spec(objects, "greeter-balancer")["containers"][0]["lifecycle"]  # it would outlast our patience
    # Twice: the second time untold clients go by what DNS has cached.
    failed = convergence.failed_by_servers_that_hang_up(namespace, objects, "balancer", told=told, restarts=2)
    assert (failed == 0) == told


def test_no_call_fails_while_servers_and_balancers_are_replaced_and_clients_hear_of_new_servers_again(
    namespace: OwnNamespace,
) -> None:
    """Each balancer ends later than DNS forgets it (preStop): a client whose balancer ends is given one that stays.

    Servers alone, and no balancer at all, are drills of compare's.
    """
    namespace.apply(MANIFESTS)
    namespace.wait_ready(3)
    measurement = namespace.measure("--duration=1h", "--rate=100")
    namespace.replace("server", "balancer")
    three = namespace.wait_ready(3)
    namespace.scale(4)
    [new] = namespace.wait_ready(4) - three
    ready = time.time()
    time.sleep(3)  # of calls, more than the new pod needs
    result = measurement.stop()
    print(f"servers and balancers: {result['failed_attempts']} of {result['attempts']} attempts failed")
    assert result["attempts"] >= 2000
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert new in result["backends"]
    print(f"the new pod got its first call {result['backends'][new]['first_seen'] - ready:.2f} s after it was ready")


def test_a_client_that_finds_no_balancer_falls_back_on_the_servers_in_dns(namespace: OwnNamespace) -> None:
    objects = manifests("grpclb")
    deployment(objects, "greeter-balancer")["spec"]["replicas"] = 0
    client = pod_spec(objects, "greeter-client")
    client["initContainers"] = [each for each in client["initContainers"] if each["name"] == "wait-for-server"]
    namespace.apply_objects(objects)
    namespace.rolled_out()
    servers = namespace.wait_ready(3)
    result = namespace.measure("--count=300").result()
    assert set(result["backends"]) == servers
    assert result["failed_attempts"] == 0
