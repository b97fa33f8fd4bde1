"""How a rollout stands: how many pods each ReplicaSet of a Deployment may have now, and what its status says.

Source: k8s.io/kubernetes/pkg/controller/deployment/util, rolling.go, progress.go and sync.go; reasons and messages are
its own. `kubectl rollout status` and `kubectl wait` read the counts and conditions.
"""

import copy
from collections.abc import Iterable

from lab.apimachinery import conditions
from lab.apimachinery.store import Object, now
from lab.apimachinery.timestamps import age


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """A count, or a percentage of `total` rounded up or down."""
    if isinstance(value, int):
        return value
    part = int(value.removesuffix("%")) * total
    return -(-part // 100) if up else part // 100


def max_surge(deployment: Object) -> int:
    """How many pods more than asked for a rolling update may have."""
    strategy = deployment["spec"]["strategy"]
    if strategy["type"] != "RollingUpdate":
        return 0
    return scaled(strategy["rollingUpdate"]["maxSurge"], deployment["spec"]["replicas"], up=True)


def max_unavailable(deployment: Object) -> int:
    """How many pods less than asked for a rolling update may leave available: 1 where both limits come to 0."""
    strategy = deployment["spec"]["strategy"]
    replicas: int = deployment["spec"]["replicas"]
    if strategy["type"] != "RollingUpdate" or replicas == 0:
        return 0
    unavailable = scaled(strategy["rollingUpdate"]["maxUnavailable"], replicas, up=False)
    if unavailable == 0 and max_surge(deployment) == 0:
        unavailable = 1
    return min(unavailable, replicas)


def asked(replica_sets: Iterable[Object]) -> int:
    """The pods that these ReplicaSets are to have."""
    return sum(rs["spec"]["replicas"] for rs in replica_sets)


def counted(replica_sets: Iterable[Object], field: str) -> int:
    """The sum of a status field, such as availableReplicas."""
    return sum(rs.get("status", {}).get(field, 0) for rs in replica_sets)


def new_size(deployment: Object, replica_sets: Iterable[Object], current: int) -> int:
    """The size for the new ReplicaSet, which has `current` now: as many as asked for, if the surge allows them."""
    replicas: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate" or current >= replicas:
        return replicas
    room = replicas + max_surge(deployment) - asked(replica_sets)
    return current + max(0, min(room, replicas - current))


def old_sizes(deployment: Object, old: list[Object], new: Object) -> dict[str, int]:
    """The sizes of the old ReplicaSets (oldest first) that may shrink now, by name.

    Pods that are not available go first, as their end costs nothing; then as many available ones as maxUnavailable
    lets go. New pods that are not available yet count as already spent.
    """
    sizes = {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in old}
    minimum = deployment["spec"]["replicas"] - max_unavailable(deployment)
    unavailable_new = new["spec"]["replicas"] - counted([new], "availableReplicas")
    budget = asked([*old, new]) - minimum - unavailable_new
    if asked(old) == 0 or budget <= 0:
        return {}
    for rs in old:
        unhealthy = rs["spec"]["replicas"] - counted([rs], "availableReplicas")
        gone = max(0, min(budget, unhealthy, rs["spec"]["replicas"]))
        sizes[rs["metadata"]["name"]] -= gone
        budget -= gone
    spare = counted([*old, new], "availableReplicas") - minimum
    for rs in old:
        gone = max(0, min(sizes[rs["metadata"]["name"]], spare))
        sizes[rs["metadata"]["name"]] -= gone
        spare -= gone
    return {rs["metadata"]["name"]: size for rs in old if (size := sizes[rs["metadata"]["name"]]) != asked([rs])}


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
