"""Servers and client are applied at once, as everybody applies a directory."""

import pytest

from catalogue import Demo, demos
from compare.api import Object
from compare.namespace import CLIENT
from testing.cluster import OwnNamespace, pod_spec, until


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
    objects = namespace.own(strategy).objects()
    # The client's container is up before them, also on a machine that starts it slowly.
    pod_spec(objects)["containers"][0]["startupProbe"]["initialDelaySeconds"] = 10
    client = pod_spec(objects, CLIENT)
    if not waits:
        client["initContainers"] = [each for each in client["initContainers"] if each not in waiting(client)]
    namespace.apply_objects(objects)

    def log() -> str:
        return namespace.kubectl("logs", "deployment/greeter-client", "-c", "client", ok=(0, 1))

    until("greetings", lambda: "Greeting" in log())
    failed = log().count("No answer")
    print(f"{strategy.name}, waits {waits}: {failed} calls failed before the first that was answered")
    assert (failed == 0) == waits
