"""client_roundrobin on a cluster: what its knobs and its rollout protect from."""

import time

from testing.cluster import OwnNamespace, deployment, manifests, pod_spec, until


def test_with_grpcs_default_cooldown_new_pods_wait_for_30_s_whatever_the_connection_age(
    namespace: OwnNamespace,
) -> None:
    objects = manifests("client_roundrobin")
    pod_spec(objects)["containers"][0]["args"].append("--max-connection-age=2s")
    pod_spec(objects, "greeter-client")["containers"][0]["args"].append("--dns-cooldown=30s")
    namespace.apply_objects(objects)
    namespace.rolled_out()
    old = namespace.wait_ready(3)
    # The warm-up ends with the client's latest answer from DNS: it asks for the next one 30 s later at the earliest.
    measurement = namespace.measure("--duration=1h", "--rate=50")
    namespace.scale(4)
    [new] = namespace.wait_ready(4) - old
    ready = time.time()
    until("calls of the new pod", lambda: "Received" in namespace.log_of(new))
    result = measurement.stop()
    first = result["backends"][new]["first_seen"]
    print(f"first call {first - ready:.1f} s after its EndpointSlice, {first - result['started']:.1f} s of measuring")
    assert result["failed_attempts"] == 0
    assert 28 <= first - result["started"] <= 30 + 30 + 5  # one cooldown, and where CoreDNS had cached, one more


def test_without_its_protection_a_rolling_restart_fails_calls(namespace: OwnNamespace) -> None:
    """The rolling restart of compare can tell: the same calls, with what the manifest does against it taken out."""
    objects = manifests("client_roundrobin")
    rolling = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "100%"}}
    deployment(objects)["spec"] |= {"minReadySeconds": 0, "strategy": rolling}
    del pod_spec(objects)["containers"][0]["lifecycle"]
    namespace.apply_objects(objects)
    namespace.rolled_out()
    pods = namespace.wait_ready(3)
    measurement = namespace.measure("--duration=1h", "--rate=100")  # DNS has just been asked, and is cached
    namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    namespace.rolled_out()
    assert not pods & namespace.wait_ready(3)
    time.sleep(10)  # of calls after that, twice their deadline
    result = measurement.stop()
    print(f"{result['failed_attempts']} failed of {result['attempts']} attempts: {result['failure_details']}")
    assert result["failed_attempts"] > 0
