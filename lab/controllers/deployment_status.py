"""A Deployment's status: its counts, and the conditions that `kubectl rollout status` and `kubectl wait` read.

Source: k8s.io/kubernetes/pkg/controller/deployment/progress.go and sync.go; reasons and messages are its own.
"""

import copy

from lab.apimachinery import conditions
from lab.apimachinery.store import Object, now
from lab.apimachinery.timestamps import age
from lab.controllers.rollout import asked, counted, max_unavailable


def set_condition(status: Object, kind: str, value: str, reason: str, message: str) -> None:
    """Set a condition, unless it is there already with this status and reason."""
    current = conditions.find(status, kind)
    if current is None or (current["status"], current["reason"]) != (value, reason):
        _put(status, kind, value, reason, message)


def _put(status: Object, kind: str, value: str, reason: str, message: str) -> None:
    conditions.put(status, kind, value, reason, message, lastUpdateTime=now())
    status["conditions"].sort(key=lambda condition: condition["type"] == kind)  # what changed last stands last


def count(deployment: Object, status: Object, new: Object | None, old: list[Object]) -> Object:
    """The status with the counts and the Available condition of these ReplicaSets; the rest stays."""
    sets = [*old, new] if new else old
    available = counted(sets, "availableReplicas")
    counts = {
        "replicas": counted(sets, "replicas"),
        "updatedReplicas": counted([new] if new else [], "replicas"),
        "readyReplicas": counted(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, asked(sets) - available),
    }
    result: Object = {"observedGeneration": deployment["metadata"]["generation"]}
    result["conditions"] = copy.deepcopy(status.get("conditions", []))
    result |= {field: number for field, number in counts.items() if number}
    if available >= deployment["spec"]["replicas"] - max_unavailable(deployment):
        message = "Deployment has minimum availability."
        set_condition(result, "Available", "True", "MinimumReplicasAvailable", message)
    else:
        message = "Deployment does not have minimum availability."
        set_condition(result, "Available", "False", "MinimumReplicasUnavailable", message)
    return result


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all pods are of the new revision and available."""
    replicas = deployment["spec"]["replicas"]
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return observed and all(status.get(field, 0) == replicas for field in fields)


def judge_progress(deployment: Object, old_status: Object, status: Object, new: Object | None) -> None:
    """Set the Progressing condition from what changed between two statuses, and the time that passed."""
    seen = conditions.find(old_status, "Progressing")
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if settled and seen and seen["reason"] == "NewReplicaSetAvailable":
        return  # no rollout is on
    it = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, status):
        message = f"{it} has successfully progressed."
        set_condition(status, "Progressing", "True", "NewReplicaSetAvailable", message)
    elif _advanced(old_status, status):
        message = f"{it} is progressing."
        _put(status, "Progressing", "True", "ReplicaSetUpdated", message)
    elif seen and age(seen["lastUpdateTime"]) > deployment["spec"]["progressDeadlineSeconds"]:
        message = f"{it} has timed out progressing."
        set_condition(status, "Progressing", "False", "ProgressDeadlineExceeded", message)


def _advanced(before: Object, after: Object) -> bool:
    def outdated(status: Object) -> int:
        gone: int = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        return gone

    rising = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(after) < outdated(before) or any(after.get(f, 0) > before.get(f, 0) for f in rising)


def deadline_in(deployment: Object, status: Object) -> float | None:
    """Seconds after which to judge the progress again; None where no rollout is on or it has failed already."""
    progressing = conditions.find(status, "Progressing")
    if progressing is None or progressing["reason"] == "ProgressDeadlineExceeded" or is_complete(deployment, status):
        return None
    left: float = deployment["spec"]["progressDeadlineSeconds"] - age(progressing["lastUpdateTime"])
    return max(0.0, left) + 1
