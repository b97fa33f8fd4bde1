"""Servers and client are applied at once, as everybody applies a directory, and any of them may be up first."""

import pytest

from catalogue import Demo, demos
from compare.api import Object
from compare.namespace import CLIENT
from testing.cluster import OwnNamespace, deployment, pod_spec, until


def waiting(client: Object) -> list[Object]:
    """The init containers by which a client waits for its servers."""
    return [each for each in client.get("initContainers", ()) if each["name"].startswith("wait-for-")]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(
    "strategy", [demo for demo in demos() if waiting(pod_spec(demo.objects(), CLIENT))], ids=lambda demo: demo.name
)
def test_no_call_fails_unless_the_client_does_not_wait_for_a_server(
    namespace: OwnNamespace, strategy: Demo, waits: bool
) -> None:
    """Here the servers come when the client is up, and either waits or has been refused an answer."""
    objects = namespace.own(strategy).objects()
    deployment(objects)["spec"]["replicas"] = 0
    client = pod_spec(objects, CLIENT)
    first, *_ = waiting(client)
    if not waits:
        client["initContainers"] = [each for each in client["initContainers"] if each not in waiting(client)]
    namespace.apply_objects(objects)

    def log() -> str:
        return namespace.kubectl("logs", "deployment/greeter-client", "-c", "client", ok=(0, 1))

    def is_waiting() -> bool:
        statuses = [each for pod in namespace.pods("client") for each in pod["status"].get("initContainerStatuses", ())]
        return any(each["name"] == first["name"] and "running" in each["state"] for each in statuses)

    if waits:
        until("a client that waits", is_waiting)
    else:
        until("a call that fails", lambda: "No answer" in log())
    namespace.scale(3)
    until("greetings", lambda: "Greeting" in log())
    failed = log().count("No answer")
    print(f"{strategy.name}, waits {waits}: {failed} calls failed before the first that was answered")
    assert (failed == 0) == waits
