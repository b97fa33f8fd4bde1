"""Phases and conditions of pods, from the states of their containers."""

from typing import Any

import pytest

from lab.apimachinery.store import Object
from lab.kubelet import pod_status
from lab.kubelet.pod_status import Observed, phase

RUNNING: Object = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
CREATING: Object = {"waiting": {"reason": "ContainerCreating"}}
CRASHING: Object = {"waiting": {"reason": "CrashLoopBackOff"}}


def ended(code: int) -> Object:
    return {"terminated": {"exitCode": code}}


def status(name: str, state: Object, last: Object | None = None, **fields: Any) -> Object:
    up = "running" in state
    return {"name": name, "state": state, "lastState": last or {}, "ready": up, "started": up} | fields


def pod(policy: str = "Always", init: list[Object] | None = None, containers: int = 1) -> Object:
    spec = {"restartPolicy": policy, "containers": [{"name": f"c{i}"} for i in range(containers)]}
    return {"metadata": {"generation": 3}, "spec": spec | ({"initContainers": init} if init else {})}


def seen(*states: Object | tuple[Object, Object], init: list[Object] | None = None, running: bool = True) -> Observed:
    pairs = [state if isinstance(state, tuple) else (state, {}) for state in states]
    containers = [status(f"c{i}", state, last) for i, (state, last) in enumerate(pairs)]
    return Observed(init=init or [], containers=containers, running=running, ip="127.64.0.9")


@pytest.mark.parametrize(
    ("policy", "observed", "expected"),
    [
        ("Always", seen(CREATING), "Pending"),
        ("Always", seen(RUNNING, CREATING), "Pending"),
        ("Always", seen(RUNNING), "Running"),
        ("Always", seen((CRASHING, ended(1))), "Running"),
        ("Always", seen(ended(0)), "Running"),
        ("Always", seen(ended(0), running=False), "Succeeded"),
        ("Always", seen(ended(0), ended(137), running=False), "Failed"),
        ("OnFailure", seen(ended(0)), "Succeeded"),
        ("OnFailure", seen(ended(1)), "Running"),
        ("OnFailure", seen(ended(0), (CRASHING, ended(1))), "Running"),
        ("Never", seen(ended(0), RUNNING), "Running"),
        ("Never", seen(ended(0), ended(0)), "Succeeded"),
        ("Never", seen(ended(0), ended(2)), "Failed"),
    ],
)
def test_the_phase_follows_from_the_containers(policy: str, observed: Observed, expected: str) -> None:
    assert phase(pod(policy, containers=len(observed.containers)), observed) == expected


SIDECAR: Object = {"name": "s", "restartPolicy": "Always"}
INIT: Object = {"name": "i"}


@pytest.mark.parametrize(
    ("policy", "spec", "init", "state", "expected"),
    [
        ("Always", INIT, status("i", RUNNING), CREATING, "Pending"),
        ("Always", INIT, status("i", ended(0)), RUNNING, "Running"),
        ("Always", INIT, status("i", ended(1)), CREATING, "Pending"),
        ("Never", INIT, status("i", ended(1)), CREATING, "Failed"),
        ("Always", SIDECAR, status("s", RUNNING, started=False), CREATING, "Pending"),
        ("Always", SIDECAR, status("s", CRASHING, ended(1)), RUNNING, "Running"),
        ("Never", SIDECAR, status("s", RUNNING), ended(0), "Running"),
        ("Never", SIDECAR, status("s", ended(1)), ended(0), "Succeeded"),
    ],
)
def test_init_containers_and_sidecars_count_for_the_phase(
    policy: str, spec: Object, init: Object, state: Object, expected: str
) -> None:
    assert phase(pod(policy, [spec]), seen(state, init=[init])) == expected


def conditions(found: Object) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c.get("reason", ""), c.get("message", "")) for c in found["conditions"]}


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    owner = pod()
    first = pod_status.status(owner, seen(CREATING))
    for condition in first["conditions"]:
        condition["lastTransitionTime"] = "long ago"
    first["conditions"].append({"type": "PodScheduled", "status": "True", "lastTransitionTime": "long ago"})
    second = pod_status.status(owner | {"status": first}, seen(RUNNING))
    times = {c["type"]: c["lastTransitionTime"] == "long ago" for c in second["conditions"]}
    assert times == {
        "PodReadyToStartContainers": True,
        "Initialized": True,
        "Ready": False,
        "ContainersReady": False,
        "PodScheduled": True,  # the scheduler's
    }
