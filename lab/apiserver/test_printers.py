"""What `kubectl get` shows: the states of pods in one word, ages, and the cells of the other kinds."""

import datetime
from typing import Any

import pytest

from lab.apimachinery.store import Object, now
from lab.apiserver import pod_printer
from lab.apiserver.durations import human
from lab.apiserver.printers import cells, columns


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (123, "2m3s"),
        (3 * 3600 + 420, "3h7m"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (800 * 86400, "2y70d"),
        (3000 * 86400, "8y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert human(seconds) == text


def container(name: str = "c", **state: Any) -> Object:
    """A container's status; `state` is one of running, waiting and terminated."""
    up = "running" in state
    return {"name": name, "ready": up, "started": up, "restartCount": 0, "state": state, "lastState": {}}


def pod(*statuses: Object, init: list[Object] | None = None, phase: str = "Running", **status: Any) -> Object:
    spec: Object = {"containers": [{"name": s["name"]} for s in statuses] or [{"name": "c"}]}
    spec["initContainers"] = [
        {"name": s["name"]} | ({"restartPolicy": "Always"} if "side" in s["name"] else {}) for s in init or []
    ]
    meta = {"name": "web", "creationTimestamp": now()}
    status |= {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": init or []}
    return {"metadata": meta, "spec": spec, "status": status}


RUNNING = container(running={})
DONE = container("init", terminated={"exitCode": 0, "reason": "Completed"})
INITIALIZED = [{"type": "Initialized", "status": "True"}]


@pytest.mark.parametrize(
    ("shown", "ready", "status"),
    [
        (pod(phase="Pending"), "0/1", "Pending"),
        (pod(RUNNING | {"ready": False}), "0/1", "Running"),
        (pod(container(waiting={"reason": "CrashLoopBackOff"})), "0/1", "CrashLoopBackOff"),
        (pod(container(terminated={"exitCode": 1, "reason": "Error"}), phase="Failed"), "0/1", "Error"),
        (pod(container(terminated={"exitCode": 0, "reason": "Completed"}), phase="Succeeded"), "0/1", "Completed"),
        (pod(container("a", terminated={"exitCode": 0, "reason": "Completed"}), RUNNING), "1/2", "NotReady"),
        (pod(init=[container("init", running={})], phase="Pending"), "0/1", "Init:0/1"),
        (pod(init=[DONE, container("b", waiting={"reason": "PodInitializing"})], phase="Pending"), "0/1", "Init:1/2"),
        (
            pod(init=[container("init", waiting={"reason": "ErrImagePull"})], phase="Pending"),
            "0/1",
            "Init:ErrImagePull",
        ),
        (pod(init=[container("init", terminated={"exitCode": 2, "reason": "Error"})]), "0/1", "Init:Error"),
        (pod(RUNNING, init=[DONE, container("side", running={})]), "2/2", "Running"),
        (pod(init=[container("side", waiting={"reason": "CrashLoopBackOff"})]), "0/2", "Init:CrashLoopBackOff"),
        (
            pod(RUNNING, init=[container("side", waiting={"reason": "CrashLoopBackOff"})], conditions=INITIALIZED),
            "1/2",
            "Init:CrashLoopBackOff",
        ),
    ],
)
def test_pods(shown: Object, ready: str, status: str) -> None:
    assert pod_printer.cells(shown)[1:3] == [ready, status]


def test_a_pod_that_is_deleted_is_terminating_until_it_has_ended() -> None:
    shown = pod(RUNNING)
    shown["metadata"]["deletionTimestamp"] = now()
    assert pod_printer.cells(shown)[2] == "Terminating"
    shown["status"]["phase"] = "Succeeded"
    assert pod_printer.cells(shown)[2] == "Succeeded"


def test_restarts_and_when_the_last_one_was() -> None:
    ended = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    crashed = RUNNING | {"restartCount": 3, "lastState": {"terminated": {"exitCode": 1, "finishedAt": ended}}}
    assert pod_printer.cells(pod(crashed))[3] == "3 (90s ago)"
    assert pod_printer.cells(pod(RUNNING | {"restartCount": 2}))[3] == "2"
    assert pod_printer.cells(pod(RUNNING))[3] == "0"


@pytest.mark.parametrize(
    ("plural", "obj", "expected"),
    [
        ("jobs", {"spec": {"completions": 2, "template": {"spec": {"containers": []}}}}, ["x", "Running", "0/2", ""]),
        (
            "jobs",
            {
                "spec": {"parallelism": 3, "template": {"spec": {"containers": []}}},
                "status": {
                    "succeeded": 1,
                    "startTime": "2026-01-01T00:00:00Z",
                    "completionTime": "2026-01-01T00:00:05Z",
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            },
            ["x", "Complete", "1/1 of 3", "5s"],
        ),
        (
            "endpointslices",
            {"addressType": "IPv4", "endpoints": [{"addresses": [str(i)]} for i in range(5)], "ports": None},
            ["x", "IPv4", "<unset>", "0,1,2 + 2 more..."],
        ),
        ("nodes", {"spec": {"unschedulable": True}}, ["x", "Unknown,SchedulingDisabled", "<none>"]),
    ],
)
def test_cells(plural: str, obj: Object, expected: list[Any]) -> None:
    found = cells(plural, {"metadata": {"name": "x", "creationTimestamp": now()}} | obj)
    assert found[: len(expected)] == expected
    assert len(found) == len(columns(plural))
