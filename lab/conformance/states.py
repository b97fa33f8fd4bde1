"""What tests wait for and look at in objects."""

from datetime import datetime
from typing import Any

from lab.conformance.api import Object


def condition(obj: Object, kind: str) -> Object:
    """The condition of this type, or {}."""
    conditions: list[Object] = obj.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


def holds(obj: Object, kind: str) -> bool:
    return condition(obj, kind).get("status") == "True"


def since(obj: Object, kind: str) -> datetime:
    """When this condition came to be as it is, to the second."""
    return datetime.fromisoformat(condition(obj, kind)["lastTransitionTime"])


def ready(pod: Object) -> bool:
    return holds(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]


def finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def phase(obj: Object) -> str:
    return str(obj.get("status", {}).get("phase"))


def status_of(pod: Object, name: str = "main", kind: str = "containerStatuses") -> Object:
    """The status of one container, or {} before there is one."""
    return next((s for s in pod.get("status", {}).get(kind, []) if s["name"] == name), {})


def terminated(pod: Object, name: str = "main", kind: str = "containerStatuses") -> Object:
    """How the container ended, or {} while it has not."""
    ended: Object = status_of(pod, name, kind).get("state", {}).get("terminated", {})
    return ended


def waiting(pod: Object, name: str = "main", kind: str = "containerStatuses") -> Object:
    """What the container waits for, or {} where it doesn't."""
    waits: Object = status_of(pod, name, kind).get("state", {}).get("waiting", {})
    return waits


def restarts(pod: Object, name: str = "main") -> int:
    return int(status_of(pod, name).get("restartCount", 0))


def names(objects: list[Object]) -> list[Any]:
    return [obj["metadata"]["name"] for obj in objects]


def rolled_out(deployment: Object) -> bool:
    """As `kubectl rollout status` sees it."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


def has_default(accounts: list[Object]) -> bool:
    """Of a namespace: its pods can be created."""
    return "default" in names(accounts)
