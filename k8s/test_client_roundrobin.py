"""client_roundrobin on a cluster: fair in every second; and what its knobs and its rollout protect from."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from dnslib import DNSRecord

from k8s.cluster import ROOT, Measurement, Namespace, deployment, manifests, pod_spec, until

MANIFESTS = ROOT / "client_roundrobin" / "manifests"
# Until DNS says all: the demo's own client asks before the servers are ready, and CoreDNS keeps that answer for 30 s.
WARM = ("--backends=3", "--warmup=60s")


def test_every_second_is_even(namespace: Namespace) -> None:
    namespace.apply(MANIFESTS)
    result = namespace.measure("--duration=10s", "--rate=90", *WARM).result()
    whole = [window for window in result["windows"] if sum(window["backends"].values()) >= 60]
    print([window["backends"] for window in whole])
    assert len(whole) >= 8
    # Each backend's connection ends every 5 s, and it misses its turns until the next one stands: longer on a busy
    # machine. Without one of the three it would be 0.67.
    assert all(window["jain"] > 0.95 for window in whole), whole


def test_with_grpcs_default_cooldown_new_pods_wait_for_30_s_whatever_the_connection_age(namespace: Namespace) -> None:
    namespace.apply(MANIFESTS)
    namespace.kubectl("set", "env", "deployment/greeter-server", "GRPC_MAX_CONNECTION_AGE=2s")
    patient = {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--dns-cooldown=30s"}
    namespace.kubectl("patch", "deployment/greeter-client", "--type=json", f"--patch={json.dumps([patient])}")
    namespace.rolled_out()
    namespace.gone(3)
    old = namespace.wait_ready(3)
    # The warm-up ends with the client's first answer from DNS: it asks for the next one 30 s later at the earliest.
    measurement = namespace.measure("--duration=80s", "--rate=50", *WARM)
    namespace.scale(4)
    [new] = namespace.wait_ready(4) - old
    ready = time.time()
    result = measurement.result()
    first = result["backends"][new]["first_seen"]
    print(f"first call {first - ready:.1f} s after its EndpointSlice, {first - result['started']:.1f} s of measuring")
    assert result["failed_attempts"] == 0
    assert 28 <= first - result["started"] <= 30 + 30 + 5  # one cooldown, and where CoreDNS had cached, one more


@pytest.mark.parametrize("seconds", [65, 35])
def test_at_the_worst_moment_a_restart_fails_no_call_at_grpcs_default_cooldown_if_the_pre_stop_outlasts_it_too(
    namespace: Namespace, seconds: int
) -> None:
    """Restart right after the cluster's DNS has cached an answer: who asks at its end holds it for 30 s more.

    Six clients ask every 30 s, 5 s apart, so that one does. A preStop that outlasts the DNS cache alone, 35 s, leaves
    it with dead addresses. Two servers: the sooner all are replaced, the longer that lasts.
    """
    ask = asking_dns(namespace)
    objects = manifests("client_roundrobin")
    deployment(objects)["spec"]["replicas"] = 2
    pre_stop = pod_spec(objects)["containers"][0]["lifecycle"]["preStop"]["sleep"]
    assert pre_stop["seconds"] == 65  # the manifest's
    pre_stop["seconds"] = seconds
    namespace.apply_objects(objects)
    namespace.rolled_out()
    old = namespace.wait_ready(2)
    flags = ("--duration=1h", "--rate=20", "--dns-cooldown=30s", "--backends=2", "--warmup=60s")
    began = time.monotonic()
    clients: list[Measurement] = []
    while len(clients) < 6:
        until("its turn", lambda: time.monotonic() >= began + 5 * len(clients))
        clients.append(namespace.measure(*flags))
    until("an answer that has just been cached", ask, every=0.1)
    namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    namespace.rolled_out()
    namespace.gone(2)
    assert not old & namespace.wait_ready(2)
    ended = time.monotonic()
    until("calls after that", lambda: time.monotonic() > ended + 3)
    with ThreadPoolExecutor(len(clients)) as pool:
        results = list(pool.map(Measurement.stop, clients))
    failed, attempts = (sum(result[key] for result in results) for key in ("failed_attempts", "attempts"))
    print(
        f"preStop {seconds} s: {failed} failed of {attempts} attempts, by client:",
        [r["failed_attempts"] for r in results],
    )
    assert attempts > 2000
    assert (failed == 0) == (seconds == 65)


def asking_dns(namespace: Namespace) -> Callable[[], bool]:
    """Asks the cluster's DNS for the servers' name; whether the answer has been cached since it was asked last."""
    annotations = namespace.get("namespace", namespace.name)["metadata"].get("annotations", {})
    if not (address := annotations.get("lab/dns") or os.environ.get("DNS_ADDRESS", "")):
        pytest.skip("DNS_ADDRESS is not set: nothing to ask this cluster's DNS at")
    host, _, port = address.partition(":")
    question = DNSRecord.question(f"greeter-server.{namespace.name}.svc.cluster.local")
    left = [sys.maxsize]  # seconds for which the answer may be kept, as it said

    def ask() -> bool:
        answer = DNSRecord.parse(question.send(host, int(port), timeout=5))
        left.append(min(record.ttl for record in answer.rr))
        return left[-1] > left[-2]

    return ask


def test_without_its_protection_a_rolling_restart_fails_calls(namespace: Namespace) -> None:
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
    measurement = namespace.measure("--duration=100s", "--rate=100", *WARM)  # DNS has just been asked, and is cached
    namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    namespace.rolled_out()
    assert not pods & namespace.wait_ready(3)
    result = measurement.result()
    print(f"{result['failed_attempts']} failed of {result['attempts']} attempts: {result['failure_details']}")
    assert result["failed_attempts"] > 0
