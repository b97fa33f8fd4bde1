"""The edge is a Deployment, too: what its own restart costs, and where it pins. Of the lab's controller."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from testing.cluster import OwnNamespace, kubectl, until
from testing.ingress import Outside, is_lab

CONTROLLER = "deployment/ingress-nginx-controller"
SELECTOR = "app.kubernetes.io/name=ingress-nginx"
ATTEMPTS = 2000


def ingress_nginx(*args: str) -> str:
    return kubectl("--namespace=ingress-nginx", *args).stdout


def patch(spec: dict[str, Any]) -> None:
    ingress_nginx("patch", CONTROLLER, "-p", json.dumps({"spec": spec}))


def pods() -> list[str]:
    return ingress_nginx("get", "pods", "-l", SELECTOR, "-o", "name").split()


def settled(replicas: int) -> None:
    ingress_nginx("rollout", "status", CONTROLLER, "--timeout=60s")
    until(f"{replicas} pods of the controller", lambda: len(pods()) == replicas, every=0.5)


@pytest.fixture
def outside(namespace: OwnNamespace) -> Iterator[Outside]:
    """A demo behind the lab's controller, which is as it was in the end."""
    if not is_lab():
        pytest.skip("no ingress-nginx here")
    outside = Outside(namespace, "grpc")
    outside.objects = outside.demo.objects()
    outside.apply()
    yield outside
    patch({"replicas": 1, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}})
    settled(1)


@pytest.mark.parametrize("gapless", [True, False])
def test_a_restart_of_the_controller_fails_no_call_unless_the_old_one_goes_before_the_new_one_serves(
    outside: Outside, gapless: bool
) -> None:
    if not gapless:
        patch({"strategy": {"type": "Recreate", "rollingUpdate": None}})
    measurement = outside.namespace.measure("--duration=1h", "--rate=200")
    ingress_nginx("rollout", "restart", CONTROLLER)
    settled(1)
    enough = re.compile(r"Received \d+ calls on \d+ connection\(s\), (\d+) in all")
    servers = [pod["metadata"]["name"] for pod in outside.namespace.pods("server")]

    def received() -> int:
        logs = [outside.namespace.kubectl("logs", server) for server in servers]
        return sum(max((int(match[1]) for match in enough.finditer(log)), default=0) for log in logs)

    until("enough calls", lambda: received() > ATTEMPTS, every=1)
    result = measurement.stop()
    print(f"gapless {gapless}: {result['failed_attempts']} of {result['attempts']} attempts failed")
    assert result["attempts"] >= ATTEMPTS
    assert (result["failed_attempts"] == 0) == gapless


def test_one_of_two_controllers_has_a_client_and_each_pod_its_share_all_the_same(outside: Outside) -> None:
    """The edge's own address is a Service: the client's one connection goes to one pod of the edge, and stays there."""
    patch({"replicas": 2})
    settled(2)
    result = outside.namespace.measure("--count=300").result()
    assert sorted(backend["calls"] for backend in result["backends"].values()) == [100, 100, 100]
    calls = Counter(
        {pod: ingress_nginx("logs", pod).count(f"[{outside.namespace.name}-greeter-server-80]") for pod in pods()}
    )
    assert min(calls.values()) == 0
    assert max(calls.values()) >= 300
