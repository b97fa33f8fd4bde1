"""client_envoy on a cluster: its pod's start and end, a broken backend, a Service that is not there."""

from functools import partial

import pytest

from catalogue import ROOT
from testing.cluster import OwnNamespace, manifests, pod_spec, until

MANIFESTS = ROOT / "client_envoy" / "manifests"


def greets(namespace: OwnNamespace, pod: str) -> bool:
    return "Greeting" in namespace.kubectl("logs", pod, "-c", "client")


def test_no_call_fails_when_the_clients_pod_starts_or_ends(namespace: OwnNamespace) -> None:
    namespace.apply(MANIFESTS / "server.yaml")
    namespace.wait_ready(3)
    namespace.apply(MANIFESTS)
    namespace.scale(3, "greeter-client")
    namespace.rolled_out()
    pods = [pod["metadata"]["name"] for pod in namespace.pods("client")]
    assert len(pods) == 3
    for pod in pods:
        until("its first greeting", partial(greets, namespace, pod))
        assert "No answer" not in namespace.kubectl("logs", pod, "-c", "client")
    result = namespace.measure("--duration=1h", "--rate=100").stop()  # by SIGTERM, in the midst of calls
    print(f"ended under calls: {result['failed_attempts']} failed of {result['attempts']} attempts")
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert result["calls"] > 0


@pytest.mark.parametrize(("fault", "most"), [("error=INTERNAL", 100), ("crash", 5)])
def test_a_backend_that_breaks_soon_gets_no_calls(namespace: OwnNamespace, fault: str, most: int) -> None:
    """A third of 2,000 calls would fail without outlier detection and health checks (client_envoy's own tests show it).

    5 calls fail until an ejection of 10 s, then of 20 s; or the one that a crash took along.
    """
    objects = manifests("client_envoy", "server.yaml")
    [server] = pod_spec(objects)["containers"]
    server["args"].append("--faults")
    namespace.apply_objects(objects)
    victim = sorted(namespace.wait_ready(3))[0]
    namespace.apply(MANIFESTS / "client.yaml")
    measurement = namespace.measure("--duration=40s", "--rate=50", "--deadline=300ms")
    namespace.ask_for(fault, victim, lasting="60s")
    result = measurement.result()
    failed = sum(result["failures"].values())
    seconds = sum(window["failures"] > 0 for window in result["windows"])
    print(f"{fault}: {failed} of {result['calls']} calls failed, in {seconds} of the seconds")
    assert failed <= most, result["failures"]
    assert failed > 0 or fault == "crash", "it did not break"  # a crash between two calls fails none
    if fault == "crash":

        def restarts() -> int:
            return sum(pod["status"]["containerStatuses"][0]["restartCount"] for pod in namespace.pods("server"))

        assert until("its restart, which the kubelet tells when it comes to it", restarts) == 1


def test_without_the_service_a_call_fails_at_once_and_says_why(namespace: OwnNamespace) -> None:
    objects = manifests("client_envoy", "client.yaml")
    pod_spec(objects, "greeter-client")["initContainers"][0]["args"][-1] = "--timeout=1s"
    namespace.apply_objects(objects)
    namespace.rolled_out()

    def log() -> str:
        return namespace.kubectl("logs", "deployment/greeter-client", "-c", "client")

    until("its first call", lambda: "No answer" in log())
    assert "No answer: UNAVAILABLE: no healthy upstream; trying again in 1s" in log()
    namespace.apply(MANIFESTS / "server.yaml")
    until("greetings, once there are servers", lambda: "Greeting: Hello you" in log())
