"""What a CPU autoscaler makes of gRPC: the pods it adds get nothing from clusterip, and their share of a balanced load.

Both strategies side by side, under the same load. It needs metrics-server on the cluster.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from catalogue import ROOT
from testing.cluster import Measuring, OwnNamespace, kubectl, own_namespace, until

HPA = ROOT / "docs" / "autoscaling" / "hpa.yaml"
STRATEGIES = {"clusterip": 1, "client_roundrobin": 3}  # and how many backends answer at first
RATE = 200  # calls a second of each strategy's client
MOST = 5  # maxReplicas
AFTER = 45.0  # seconds for which the load goes on when all pods are there: the DNS cache, and some to count
EVERY = 5.0  # seconds between two looks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Run:
    """One strategy under load."""

    strategy: str
    namespace: OwnNamespace
    load: Measuring
    old: set[str]
    looks: list[dict[str, Any]] = field(default_factory=list)

    def look(self, began: float) -> dict[str, Any]:
        """What the autoscaler and the metrics say now."""
        status = self.namespace.get("hpa", "greeter-server").get("status", {})
        usage = self.namespace.kubectl(
            "top", "pods", "-l", "app.kubernetes.io/component=server", "--no-headers", ok=(0, 1)
        )
        found = {
            "after_s": round(time.monotonic() - began),
            "desired": status.get("desiredReplicas", 0),
            "ready": len(self.namespace.ready()),
            "millicores": sorted((line.split()[1] for line in usage.splitlines()), key=_millicores, reverse=True),
        }
        self.looks.append(found)
        return found


def _millicores(text: str) -> int:
    return int(text.removesuffix("m"))


@pytest.fixture
def runs(cluster_config: str) -> Iterator[list[Run]]:
    """Both, applied and under load."""
    if "cpu" not in kubectl("top", "nodes", ok=(0, 1)).stdout.lower():
        pytest.skip("this cluster has no metrics: kubectl top nodes says nothing; install metrics-server")
    with ExitStack() as stack:
        namespaces = [stack.enter_context(own_namespace()) for _ in STRATEGIES]
        with ThreadPoolExecutor() as pool:
            yield list(pool.map(_start, STRATEGIES, namespaces))


def _start(strategy: str, namespace: OwnNamespace) -> Run:
    namespace.apply(ROOT / strategy / "manifests" / "server.yaml")
    namespace.apply(ROOT / strategy / "manifests")
    old = namespace.wait_ready(3)
    namespace.kubectl("apply", "-f", str(HPA))
    load = namespace.measure("--duration=10m", f"--rate={RATE}", backends=STRATEGIES[strategy])
    return Run(strategy, namespace, load, old)


def test_pods_that_an_autoscaler_adds_get_nothing_through_a_clusterip_and_their_share_where_calls_are_balanced(
    runs: list[Run],
) -> None:
    began = time.monotonic()
    # metrics-server looks every 15 s, the autoscaler too, and it waits for metrics of pods that have just started.
    until("5 pods each", lambda: _look(runs, began) == {MOST}, timeout=300, every=EVERY)
    ready = time.time()
    until("45 s of load on all of them", lambda: _look(runs, began) and time.time() > ready + AFTER, every=EVERY)
    until(
        "metrics that show client_roundrobin's pods alike", lambda: _look(runs, began) and _alike(runs[1]), every=EVERY
    )
    late = {run.strategy: _calls(run, since=ready + AFTER - 10) for run in runs}

    problem, cure = late["clusterip"], late["client_roundrobin"]
    assert sorted(problem["new"].values()) == [0, 0], "clusterip: new pods got calls"
    assert sorted(problem["old"].values())[:2] == [0, 0], "clusterip: more than one pod got calls"
    total = sum(cure["new"].values()) + sum(cure["old"].values())
    assert sum(cure["new"].values()) / total == pytest.approx(0.4, abs=0.03)
    hottest, *others = map(_millicores, runs[0].looks[-1]["millicores"])
    assert hottest > 3 * max(others), "clusterip: more than one pod is hot"
    assert runs[0].looks[-1]["desired"] == MOST, "clusterip: the autoscaler noticed that the added pods idle"


def _alike(run: Run) -> bool:
    """Whether no pod uses twice the CPU of another."""
    usage = [_millicores(text) for text in run.looks[-1]["millicores"]]
    return len(usage) == MOST and max(usage) < 2 * min(usage)


def _look(runs: list[Run], began: float) -> set[int]:
    """Look at each; how many pods they have ready."""
    return {run.look(began)["ready"] for run in runs}


def _calls(run: Run, since: float) -> dict[str, dict[str, int]]:
    """End the load; calls of each old and new pod since then. Prints what happened."""
    pods = run.namespace.ready()
    result = run.load.stop()
    print(f"\n{run.strategy}: {result['calls']} calls, {result['failed_attempts']} failed attempts")
    for look in run.looks:
        print("  ", json.dumps(look))
    print("   first calls, seconds of the load:", _first(result, run.old, pods))
    windows = [w["backends"] for w in result["windows"] if result["started"] + w["second"] >= since]
    assert result["failed_attempts"] == 0, result["failure_details"]
    counts = {pod: sum(window.get(pod, 0) for window in windows) for pod in pods}
    print(
        "   calls of the last seconds:", {("old " if pod in run.old else "new ") + pod: n for pod, n in counts.items()}
    )
    return {
        "old": {pod: n for pod, n in counts.items() if pod in run.old},
        "new": {pod: n for pod, n in counts.items() if pod not in run.old},
    }


def _first(result: dict[str, Any], old: set[str], pods: set[str]) -> dict[str, Any]:
    seen = result["backends"]
    return {
        ("old " if pod in old else "new ") + pod: round(seen[pod]["first_seen"] - result["started"], 1)
        if pod in seen
        else None
        for pod in sorted(pods)
    }
