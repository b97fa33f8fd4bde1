"""client_roundrobin on a cluster: what its knobs and its rollout protect from."""

import json
import time

from catalogue import ROOT
from tests.cluster import OwnNamespace

MANIFESTS = ROOT / "client_roundrobin" / "manifests"


def test_with_grpcs_default_cooldown_new_pods_wait_for_30_s_whatever_the_connection_age(
    namespace: OwnNamespace,
) -> None:
    namespace.apply(MANIFESTS)
    namespace.kubectl("set", "env", "deployment/greeter-server", "GRPC_MAX_CONNECTION_AGE=2s")
    patient = {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--dns-cooldown=30s"}
    namespace.kubectl("patch", "deployment/greeter-client", "--type=json", f"--patch={json.dumps([patient])}")
    namespace.rolled_out()
    namespace.gone(3)
    old = namespace.wait_ready(3)
    # The warm-up ends with the client's first answer from DNS: it asks for the next one 30 s later at the earliest.
    measurement = namespace.measure("--duration=80s", "--rate=50")
    namespace.scale(4)
    [new] = namespace.wait_ready(4) - old
    ready = time.time()
    result = measurement.result()
    first = result["backends"][new]["first_seen"]
    print(f"first call {first - ready:.1f} s after its EndpointSlice, {first - result['started']:.1f} s of measuring")
    assert result["failed_attempts"] == 0
    assert 28 <= first - result["started"] <= 30 + 30 + 5  # one cooldown, and where CoreDNS had cached, one more


def test_without_its_protection_a_rolling_restart_fails_calls(namespace: OwnNamespace) -> None:
    """The rolling restart of compare can tell: the same calls, with what the manifest does against it taken out."""
    namespace.apply(MANIFESTS)
    namespace.wait_ready(3)
    template = {"spec": {"containers": [{"name": "server", "lifecycle": {"$patch": "delete"}}]}}
    rolling = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "100%"}}
    unprotected = {"spec": {"minReadySeconds": 0, "strategy": rolling, "template": template}}
    namespace.kubectl("patch", "deployment/greeter-server", f"--patch={json.dumps(unprotected)}")
    namespace.rolled_out()
    namespace.gone(3)
    pods = namespace.wait_ready(3)
    measurement = namespace.measure("--duration=100s", "--rate=100")  # DNS has just been asked, and is cached
    namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    namespace.rolled_out()
    assert not pods & namespace.wait_ready(3)
    result = measurement.result()
    print(f"{result['failed_attempts']} failed of {result['attempts']} attempts: {result['failure_details']}")
    assert result["failed_attempts"] > 0
