"""The disruption controller: how many pods of a PodDisruptionBudget could be evicted now, which `kubectl get` shows.

Source: k8s.io/kubernetes/pkg/controller/disruption. Nothing is evicted: the lab's one node is never drained. Left out:
pods of other controllers than ReplicaSets, of which a budget by share counts none.
"""

from lab.apimachinery import conditions
from lab.apimachinery.ownership import controller_of, selects
from lab.apimachinery.podstate import is_active, is_ready
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.controllers.rollout import scaled


async def run(store: Store) -> None:
    """Keep the status of every budget, until cancelled."""

    def keys(event: Event) -> list[Key]:
        namespace = event.object["metadata"]["namespace"]
        if event.resource == "poddisruptionbudgets":
            return [(namespace, event.object["metadata"]["name"])]
        return [(namespace, budget["metadata"]["name"]) for budget in store.list("poddisruptionbudgets", namespace)]

    watched = ["poddisruptionbudgets", "pods", "replicasets", "deployments"]
    await control(store, watched, keys, lambda key: reconcile(store, key))


def reconcile(store: Store, key: Key) -> None:
    """Bring the status of one budget up to date."""
    namespace, name = key
    budget = store.find("poddisruptionbudgets", namespace, name)
    if budget is None:
        return
    selector = budget["spec"].get("selector")
    pods = [pod for pod in store.list("pods", namespace) if selector is not None and is_active(pod)]
    pods = [pod for pod in pods if selects(selector, pod["metadata"].get("labels", {}))]
    expected, desired = _wanted(budget["spec"], pods, store)
    healthy = sum(is_ready(pod) for pod in pods)
    allowed = max(healthy - desired, 0) if expected else 0
    status = budget.setdefault("status", {})
    status["observedGeneration"] = budget["metadata"].get("generation", 1)
    status |= {"expectedPods": expected, "desiredHealthy": desired}
    status |= {"currentHealthy": healthy, "disruptionsAllowed": allowed}
    enough = "SufficientPods" if allowed else "InsufficientPods"
    conditions.put(status, "DisruptionAllowed", str(bool(allowed)), enough)
    store.update("poddisruptionbudgets", budget, subresource="status")


def _wanted(spec: Object, pods: list[Object], store: Store) -> tuple[int, int]:
    """How many pods there should be, and how many of them healthy."""
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable", 1)
    if most is None and isinstance(least, int):
        return len(pods), least
    expected = _replicas(pods, store)
    if most is None:
        return expected, scaled(least, expected, up=True)
    return expected, max(expected - scaled(most, expected, up=True), 0)


def _replicas(pods: list[Object], store: Store) -> int:
    """How many pods those who made these are asked for: their Deployments, or ReplicaSets without one."""
    asked: dict[str, int] = {}
    for pod in pods:
        owner, place = controller_of(pod), pod["metadata"]["namespace"]
        if owner and owner["kind"] == "ReplicaSet" and (found := store.find("replicasets", place, owner["name"])):
            above = controller_of(found)
            found = store.find("deployments", place, above["name"]) if above else found
            asked |= {found["metadata"]["uid"]: found["spec"]["replicas"]} if found else {}
    return sum(asked.values())
