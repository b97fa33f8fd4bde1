"""client_xds on a cluster: how soon a change reaches calls, and what becomes of them as pods and control planes go."""

import pytest

from catalogue import ROOT
from testing import convergence
from testing.cluster import OwnNamespace, kubectl, manifests, until

MANIFESTS = ROOT / "client_xds" / "manifests"
POLICIES = ROOT / "client_xds" / "policies"
KINDS = pytest.mark.parametrize("kind", ["proxyless", "envoy"])  # of clients


def said(namespace: OwnNamespace) -> str:
    """By all control planes."""
    return namespace.kubectl("logs", "--selector=app.kubernetes.io/component=control-plane", "--tail=-1")


def test_it_may_read_endpointslices_and_one_config_map_and_nothing_else(namespace: OwnNamespace) -> None:
    namespace.apply(MANIFESTS / "proxyless")
    assert namespace.granted("greeter-control-plane") == [
        ["configmaps", "[]", "[greeter-xds]", "[get", "list", "watch]"],
        ["endpointslices.discovery.k8s.io", "[]", "[]", "[get", "list", "watch]"],
    ]
    whom = f"--as=system:serviceaccount:{namespace.name}:greeter-control-plane"
    for verb, what in (
        ("get", "configmaps"),
        ("list", "pods"),
        ("get", "secrets"),
        ("update", "configmaps/greeter-xds"),
    ):
        assert namespace.kubectl("auth", "can-i", verb, what, whom, ok=(1,)).strip() == "no"
    assert kubectl("auth", "can-i", "list", "endpointslices", "-n", "default", whom, ok=(1,)).stdout.strip() == "no"


@KINDS
@pytest.mark.timeout(400)
def test_a_change_of_the_endpointslices_reaches_calls_at_once(namespace: OwnNamespace, kind: str) -> None:
    """Over 20 pods that come and 20 that go; what expectations.toml gives them is for one in a hundred."""
    namespace.apply(MANIFESTS / kind)
    namespace.wait_ready(3)
    result = convergence.measured(namespace)
    for delays in (result["first"], result["last"]):
        assert len(delays) >= 20
        assert delays[-1] < 2.0
    assert result["failed_attempts"] == 0, result["failure_details"]


@pytest.mark.parametrize("told", [True, False])
def test_the_pre_stop_is_enough_also_for_servers_that_hang_up_at_once(namespace: OwnNamespace, told: bool) -> None:
    """On SIGTERM they end in the midst of calls, of which each client has one at any time: what is left is the preStop.

    It is enough because the clients are told in it. With no control plane to tell them, calls fail.
    """
    objects = manifests("client_xds", *(f"proxyless/{each}.yaml" for each in ("client", "control-plane", "server")))
    failed = convergence.failed_by_servers_that_hang_up(namespace, objects, "control-plane", told=told)
    assert (failed == 0) == told


@KINDS
def test_no_call_fails_while_servers_and_control_planes_are_replaced(namespace: OwnNamespace, kind: str) -> None:
    """Servers alone, and no control plane at all, are drills of compare's."""
    namespace.apply(MANIFESTS / kind)
    namespace.wait_ready(3)
    measurement = namespace.measure("--duration=1h", "--rate=100")
    namespace.replace("control-plane")
    namespace.replace("server", "control-plane")
    result = measurement.stop()
    print(f"control planes, then both: {result['failed_attempts']} of {result['attempts']} attempts failed")
    assert result["attempts"] >= 2000
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert namespace.ready() <= result["backends"].keys()


@KINDS
def test_a_canary_gets_its_tenth_and_nothing_before_and_after(namespace: OwnNamespace, kind: str) -> None:
    namespace.apply(MANIFESTS / kind)
    servers = namespace.wait_ready(3)
    namespace.kubectl("apply", "-f", str(POLICIES / "canary-server.yaml"))
    namespace.rolled_out()
    [canary] = namespace.addresses("canary")

    def share(calls: int, backends: int) -> float:
        result = namespace.measure(f"--count={calls}", backends=backends).result()
        assert result["failed_attempts"] == 0, result["failure_details"]
        assert result["backends"].keys() <= servers | {canary}
        return float(result["backends"].get(canary, {"calls": 0})["calls"]) / calls

    assert share(200, 3) == 0  # of a tenth, 200 calls without one have a chance of 1 in 10^9
    namespace.kubectl("apply", "-f", str(POLICIES / "canary.yaml"))
    shown = share(2000, 4)
    print(f"{kind}: {100 * shown:.1f} % of 2,000 calls")
    assert abs(shown - 0.1) <= 0.03  # 4.5 standard deviations of 2,000 draws
    namespace.kubectl("delete", "configmap", "greeter-xds")
    assert share(200, 3) == 0


def test_what_a_client_refuses_is_named_and_what_it_had_serves_on(namespace: OwnNamespace) -> None:
    namespace.apply(MANIFESTS / "proxyless")
    servers = namespace.wait_ready(3)
    measurement = namespace.measure("--duration=1h", "--rate=50")
    namespace.kubectl("apply", "-f", str(POLICIES / "refused.yaml"))
    until("a NACK", lambda: "NACK from greeter-client at ipv4:" in said(namespace))
    namespace.scale(4)
    new = namespace.wait_ready(4) - servers
    until("the new one's endpoints", lambda: "4 endpoint(s), 1 new, 0 gone" in said(namespace))
    result = measurement.stop()
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert new <= result["backends"].keys()
