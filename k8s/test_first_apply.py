"""Servers and client are applied at once, as everybody applies a directory."""

import pytest

from k8s.cluster import Namespace, manifests, pod_spec, until


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("strategy", ["client_roundrobin", "client_envoy", "grpclb"])
def test_no_call_fails_unless_the_client_does_not_wait_for_a_server(
    namespace: Namespace, strategy: str, waits: bool
) -> None:
    objects = manifests(strategy)
    # The client's container is up before them, also on a machine that starts it slowly.
    pod_spec(objects)["containers"][0]["startupProbe"]["initialDelaySeconds"] = 10
    client = pod_spec(objects, "greeter-client")
    if not waits:
        client["initContainers"] = [
            each for each in client["initContainers"] if not each["name"].startswith("wait-for-")
        ]
    namespace.apply_objects(objects)

    def log() -> str:
        return namespace.kubectl("logs", "deployment/greeter-client", "-c", "client", ok=(0, 1))

    until("greetings", lambda: "Greeting" in log())
    failed = log().count("No answer")
    print(f"{strategy}, waits {waits}: {failed} calls failed before the first that was answered")
    assert (failed == 0) == waits
