"""Every strategy shows on a cluster what its expectations.toml says it shows."""

import time

import durationpy
import pytest

from k8s.cluster import Namespace
from tests.strategies import Demo

RATE = 100  # calls a second


def warmup(demo: Demo) -> tuple[str, str]:
    """Flags that begin the measurement when as many backends answer as should.

    The demo's own client asks DNS before the servers are ready; CoreDNS keeps that answer, "no such name" or one that
    lacks pods, for up to 30 s.
    """
    return f"--backends={demo.expectations['spread']['backends']}", "--warmup=60s"


def test_calls_over_one_channel_reach_as_many_pods_as_expected(namespace: Namespace, demo: Demo) -> None:
    expected = demo.expectations["spread"]
    namespace.apply(demo.manifests)
    pods = namespace.wait_ready(expected["replicas"])
    # As many plain channels as pods answer: a call to a pod that has just been idle is slower, by whatever channel.
    direct = ",".join(f"{pod}:8000" for pod in sorted(pods)[: expected["backends"]])
    result = namespace.measure(f"--count={expected['calls']}", f"--direct={direct}", *warmup(demo)).result()
    print(result["backends"], result["direct"])
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert set(result["backends"]) <= pods
    assert len(result["backends"]) == expected["backends"]
    for backend, seen in result["backends"].items():
        share = expected["calls"] / expected["backends"]
        assert abs(seen["calls"] - share) <= expected["tolerance"], f"{backend} received {seen['calls']} of {share}"


def test_new_pods_get_the_share_expected_of_them_in_time(namespace: Namespace, demo: Demo) -> None:
    expected = demo.expectations["scale_out"]
    namespace.apply(demo.manifests)
    old = namespace.wait_ready(demo.expectations["spread"]["replicas"])
    within = durationpy.from_str(expected["within"]).total_seconds()
    measured = within + 10
    measurement = namespace.measure(f"--duration={measured + 20:g}s", f"--rate={RATE}", *warmup(demo))
    namespace.scale(expected["replicas"])
    new = namespace.wait_ready(expected["replicas"]) - old
    ready = time.time()  # this machine's clock, as the calls' times are the client's
    result = measurement.result()
    first = {pod: round(seen["first_seen"] - ready, 1) for pod, seen in result["backends"].items() if pod in new}
    print(f"first calls of new pods, seconds after their EndpointSlice: {first}; expected within {within:g}")
    since = ready + within - result["started"]
    late = [window["backends"] for window in result["windows"] if window["second"] >= since]
    calls = sum(count for window in late for count in window.values())
    share = sum(window.get(pod, 0) for window in late for pod in new) / calls
    print(f"new pods got {share:.3f} of {calls} calls")
    assert result["failed_attempts"] == 0, result["failure_details"]
    assert calls >= 5 * RATE
    assert share == pytest.approx(expected["new_pods_share"], abs=expected["tolerance"])
    assert (len(first) == len(new)) == (expected["new_pods_share"] > 0)


@pytest.mark.parametrize("drill", ["scale_in", "rolling_restart"])
def test_drills_fail_no_more_calls_than_expected(namespace: Namespace, demo: Demo, drill: str) -> None:
    if drill not in demo.expectations["drills"]:
        pytest.skip(f"{demo.name} promises nothing of {drill}")
    replicas = demo.expectations["spread"]["replicas"]
    namespace.apply(demo.manifests)
    namespace.wait_ready(replicas)
    measurement = namespace.measure("--duration=200s", f"--rate={RATE}", *warmup(demo))
    if drill == "scale_in":
        namespace.scale(1)
    else:
        namespace.kubectl("rollout", "restart", "deployment/greeter-server")
        namespace.rolled_out()
    namespace.gone(1 if drill == "scale_in" else replicas)
    result = measurement.stop()
    print(f"{result['failed_attempts']} failed of {result['attempts']} attempts")
    assert result["attempts"] >= 2000
    assert result["failed_attempts"] <= demo.expectations["drills"][drill], result["failure_details"]
