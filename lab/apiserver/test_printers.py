"""What `kubectl get` shows: the states of pods in one word, and ages."""

import datetime
from typing import Any

import pytest

from lab.apimachinery.store import Object, now
from lab.apiserver import pod_printer, printers
from lab.apiserver.durations import human


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


def waiting(name: str, reason: str) -> Object:
    return container(name, waiting={"reason": reason})


def ended(name: str, code: int) -> Object:
    return container(name, terminated={"exitCode": code, "reason": "Error" if code else "Completed"})


def pod(*statuses: Object, init: list[Object] | None = None, phase: str = "Running", **status: Any) -> Object:
    spec: Object = {"containers": [{"name": s["name"]} for s in statuses] or [{"name": "c"}]}
    spec["initContainers"] = [
        {"name": s["name"]} | ({"restartPolicy": "Always"} if "side" in s["name"] else {}) for s in init or []
    ]
    meta = {"name": "web", "creationTimestamp": now()}
    status |= {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": init or []}
    return {"metadata": meta, "spec": spec, "status": status}


RUNNING = container(running={})
INITIALIZED = [{"type": "Initialized", "status": "True"}]


@pytest.mark.parametrize(
    ("shown", "ready", "status"),
    [
        (pod(phase="Pending"), "0/1", "Pending"),
        (pod(RUNNING | {"ready": False}), "0/1", "Running"),
        (pod(waiting("c", "CrashLoopBackOff")), "0/1", "CrashLoopBackOff"),
        (pod(ended("c", 1), phase="Failed"), "0/1", "Error"),
        (pod(ended("c", 0), phase="Succeeded"), "0/1", "Completed"),
        (pod(ended("a", 0), RUNNING), "1/2", "NotReady"),
        (pod(init=[container("init", running={})], phase="Pending"), "0/1", "Init:0/1"),
        (pod(init=[ended("init", 0), waiting("b", "PodInitializing")], phase="Pending"), "0/1", "Init:1/2"),
        (pod(init=[waiting("init", "ErrImagePull")], phase="Pending"), "0/1", "Init:ErrImagePull"),
        (pod(init=[ended("init", 2)]), "0/1", "Init:Error"),
        (pod(RUNNING, init=[ended("init", 0), container("side", running={})]), "2/2", "Running"),
        (pod(init=[waiting("side", "CrashLoopBackOff")]), "0/2", "Init:CrashLoopBackOff"),
        (
            pod(RUNNING, init=[waiting("side", "CrashLoopBackOff")], conditions=INITIALIZED),
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
    ("spec", "status", "shown"),
    [
        ({"rules": [{}]}, {}, ["<none>", "*", "", "80"]),
        (
            {"ingressClassName": "nginx", "rules": [{"host": f"{n}.example.com"} for n in "abcd"], "tls": [{}]},
            {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "edge.example.com"}]}},
            [
                "nginx",
                "a.example.com,b.example.com,c.example.com + 1 more...",
                "10.0.0.1,edge.example.com",
                "80, 443",
            ],
        ),
    ],
)
def test_ingresses(spec: Object, status: Object, shown: list[str]) -> None:
    meta = {"name": "web", "creationTimestamp": now()}
    cells = printers.cells("ingresses", {"metadata": meta, "spec": spec, "status": status})
    assert cells[:-1] == ["web", *shown]


def test_ingress_classes() -> None:
    obj: Object = {
        "metadata": {"name": "nginx", "creationTimestamp": now()},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }
    assert printers.cells("ingressclasses", obj)[:-1] == ["nginx", "k8s.io/ingress-nginx", "<none>"]
    obj["spec"] |= {"parameters": {"apiGroup": "example.com", "kind": "Settings", "name": "all"}}
    assert printers.cells("ingressclasses", obj)[2] == "Settings.example.com/all"


def test_a_nodes_port_of_a_service_is_shown() -> None:
    ports = [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}]
    service: Object = {"metadata": {"name": "web", "creationTimestamp": now()}, "spec": {"type": "NodePort"}}
    service["spec"] |= {"clusterIP": "127.64.0.2", "ports": ports}
    assert printers.cells("services", service)[4] == "80:30080/TCP,443/TCP"
