"""A rollout outlasts what clients remember: the formula of each strategy's preStop, and less than that."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from dnslib import DNSRecord

from k8s.cluster import Measurement, Namespace, deployment, manifests, pod_spec, until

# The clients of each, and their flags. Those of client_roundrobin ask DNS every 30 s (gRPC's default), in turns, so
# that one asks just before a cached answer goes. Envoy asks every 5 s.
CLIENTS = {"client_roundrobin": (6, ["--dns-cooldown=30s"]), "client_envoy": (1, [])}


@pytest.mark.parametrize(
    ("strategy", "seconds", "enough"),
    [
        ("client_roundrobin", 65, True),  # DNS cache 30 s + cooldown 30 s + 5 s
        ("client_roundrobin", 35, False),  # the DNS cache alone
        ("client_envoy", 40, True),  # DNS cache 30 s + dns_refresh_rate 5 s + 5 s
        ("client_envoy", 10, False),
    ],
)
def test_a_restart_at_the_worst_moment_fails_no_call_if_old_pods_serve_on_for_long_enough(
    namespace: Namespace, strategy: str, seconds: int, enough: bool
) -> None:
    """Right after the cluster's DNS has cached an answer.

    Two servers, and no minReadySeconds: the sooner all are replaced, the worse. The preStop alone must be enough.
    """
    ask = asking_dns(namespace)
    objects = manifests(strategy)
    deployment(objects)["spec"] |= {"replicas": 2, "minReadySeconds": 0}
    pre_stop = pod_spec(objects)["containers"][0]["lifecycle"]["preStop"]["sleep"]
    assert (pre_stop["seconds"] == seconds) == enough  # what the manifest has is enough
    pre_stop["seconds"] = seconds
    namespace.apply_objects(objects)
    namespace.rolled_out()
    old = namespace.wait_ready(2)
    number, flags = CLIENTS[strategy]
    clients: list[Measurement] = []
    began = time.monotonic()
    while len(clients) < number:
        time.sleep(max(0.0, began + 5 * len(clients) - time.monotonic()))  # their turns are what is tried
        clients.append(namespace.measure("--duration=1h", "--rate=20", "--backends=2", "--warmup=60s", *flags))
    until("an answer that has just been cached", ask, every=0.1)
    namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    namespace.rolled_out()
    namespace.gone(2)
    assert not old & namespace.wait_ready(2)
    time.sleep(3)  # of calls after that
    with ThreadPoolExecutor(number) as pool:
        results = list(pool.map(Measurement.stop, clients))
    failed, attempts = (sum(result[key] for result in results) for key in ("failed_attempts", "attempts"))
    by_client = [result["failed_attempts"] for result in results]
    print(f"{strategy}, preStop {seconds} s: {failed} of {attempts} attempts failed; by client: {by_client}")
    assert (failed == 0) == enough, results[0]["failure_details"]


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
