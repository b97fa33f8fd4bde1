"""A server that hangs, or is not ready any more, while clients are connected: every strategy, as its manifests lie.

Without a liveness probe a hang costs calls for as long as it lasts: the strategies' own tests show that, and keepalive.
"""

import time

import pytest

from catalogue import Demo, chosen
from compare.api import Object
from compare.namespace import CLIENT
from testing.cluster import OwnNamespace, deployment, pod_spec, until

RATE = 20  # calls a second
# Seconds for which calls fail, where expectations.toml doesn't say less: until the liveness probe has failed three
# times, 10 s apart, and the container has had its 5 s of grace. And a busy machine.
RESTARTED = 30 + 5 + 55


def with_faults(namespace: OwnNamespace, demo: Demo) -> None:
    """Apply it, with servers that break when asked to, and whose connections don't end by themselves."""
    objects = namespace.own(demo).objects()
    [server] = pod_spec(objects)["containers"]
    if server["command"][-1] != "greeter_server":
        pytest.skip(f"the servers of {demo.name} break on nobody's request")
    server["args"] += ["--faults", "--max-connection-age=10m"]
    deployment(objects, CLIENT)["spec"]["replicas"] = 0  # or `called` may find a server that it has just called
    namespace.apply_objects(objects)
    namespace.rolled_out()
    namespace.wait_ready(demo.expectations["spread"]["replicas"])


def called(namespace: OwnNamespace) -> Object | None:
    """A server that receives calls just now."""
    for pod in namespace.pods("server"):
        if "Received" in namespace.kubectl("logs", pod["metadata"]["name"], "--since=2s"):
            return pod
    return None


def test_a_server_that_hangs_is_left_alone_or_restarted_and_calls_are_answered_again(
    namespace: OwnNamespace, demo: Demo
) -> None:
    with_faults(namespace, demo)
    backends = demo.expectations["spread"]["backends"]
    measurement = namespace.measure("--duration=1h", f"--rate={RATE}", "--deadline=300ms", backends=backends)
    victim = until("a server that is called", lambda: called(namespace))
    asked = time.time()
    namespace.ask_for("hang", victim["status"]["podIP"], lasting="10m")

    def restarts() -> int:
        [status] = namespace.get("pod", victim["metadata"]["name"])["status"]["containerStatuses"]
        return int(status["restartCount"])

    until("its restart", restarts)
    restarted = time.time() - asked
    time.sleep(15)  # of calls after that
    result = measurement.stop()
    failed = [window["second"] for window in result["windows"] if window["failures"]]
    assert failed, "it did not hang"
    seconds, calls = failed[-1] - failed[0] + 1, sum(result["failures"].values())
    print(f"{demo.name}: {calls} calls failed, for {seconds} s; restarted {restarted:.0f} s after it was asked to hang")
    assert restarted < RESTARTED
    assert seconds < demo.expectations.get("broken_backend", {}).get("hang_ends", RESTARTED)


def test_a_server_that_is_not_ready_any_more_keeps_the_calls_of_those_who_are_connected(
    namespace: OwnNamespace,
) -> None:
    """Readiness governs who is named and connected to from now on. (Clients that ask for health leave at once.)"""
    with_faults(namespace, *chosen(["clusterip"]))
    measurement = namespace.measure("--duration=1h", f"--rate={RATE}", backends=1)
    victim = until("the server that is called", lambda: called(namespace))["status"]["podIP"]
    namespace.ask_for("unready", victim, lasting="10m")
    until("it is not ready", lambda: victim not in namespace.ready())
    unready = time.time()
    time.sleep(5)  # of calls after that
    result = measurement.stop()
    assert result["failed_attempts"] == 0
    assert list(result["backends"]) == [victim]
    assert result["backends"][victim]["last_seen"] > unready + 2
