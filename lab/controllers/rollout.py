"""The arithmetic of a rollout: how many pods each ReplicaSet of a Deployment may have now.

Source: k8s.io/kubernetes/pkg/controller/deployment/util and rolling.go.
"""

from collections.abc import Iterable

from lab.apimachinery.store import Object


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
