"""The one line that `kubectl get pods` makes of a pod's many statuses (printPod of pkg/printers/internalversion)."""

from typing import Any

from lab.apimachinery.store import Object
from lab.apiserver.durations import since

NONE = "<none>"


def cells(pod: Object) -> list[Any]:
    """Name, ready, status, restarts and age; with -o wide also address and node, and what the lab never has: a
    nominated node and readiness gates.
    """
    spec, status, meta = pod["spec"], pod.get("status", {}), pod["metadata"]
    statuses = status.get("containerStatuses", [])
    init_statuses = status.get("initContainerStatuses", [])
    sidecars = {c["name"] for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"}
    ready = sum(c["name"] in sidecars and bool(c.get("started")) and c["ready"] for c in init_statuses)
    reason = status.get("reason") or status.get("phase", "")
    initializing = _initializing(init_statuses, sidecars, len(spec.get("initContainers", [])))
    if initializing and _condition(status, "Initialized") != "True":
        reason, counted = initializing, init_statuses
    else:
        counted = [c for c in init_statuses if c["name"] in sidecars] + statuses
        ready += sum(_is_up(c) for c in statuses)
        reason = _reason(statuses, initializing or reason)
        if reason == "Completed" and any(_is_up(c) for c in statuses):
            reason = "Running" if _condition(status, "Ready") == "True" else "NotReady"
    if "deletionTimestamp" in meta and status.get("phase") not in ("Succeeded", "Failed"):
        reason = "Terminating"
    total = len(spec["containers"]) + len(sidecars)
    wide = [status.get("podIP") or NONE, spec.get("nodeName") or NONE, NONE, NONE]
    return [meta["name"], f"{ready}/{total}", reason, _restarts(counted), since(meta["creationTimestamp"]), *wide]


def _initializing(statuses: list[Object], sidecars: set[str], total: int) -> str:
    """What the first init container that isn't done yet is at; "" where all are."""
    for i, container in enumerate(statuses):
        state = container.get("state", {})
        if terminated := state.get("terminated"):
            if terminated["exitCode"] != 0:
                return f"Init:{_ending(terminated)}"
        elif not (container["name"] in sidecars and container.get("started")):
            waiting = state.get("waiting", {}).get("reason", "")
            return f"Init:{waiting}" if waiting not in ("", "PodInitializing") else f"Init:{i}/{total}"
    return ""


def _reason(statuses: list[Object], reason: str) -> str:
    """The first container that isn't up says what the pod is at."""
    for container in reversed(statuses):
        state = container.get("state", {})
        if waiting := state.get("waiting", {}).get("reason"):
            reason = waiting
        elif "terminated" in state:
            reason = _ending(state["terminated"])
    return reason


def _ending(terminated: Object) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated['exitCode']}"


def _is_up(container: Object) -> bool:
    return bool(container["ready"]) and "running" in container.get("state", {})


def _condition(status: Object, kind: str) -> str | None:
    return next((c["status"] for c in status.get("conditions", []) if c["type"] == kind), None)


def _restarts(statuses: list[Object]) -> str:
    number = sum(c["restartCount"] for c in statuses)
    ended = [end for c in statuses if (end := c.get("lastState", {}).get("terminated", {}).get("finishedAt"))]
    return f"{number} ({since(max(ended))} ago)" if number and ended else str(number)
