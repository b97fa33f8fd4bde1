"""The scheduler: it puts every pod on the lab's one node, once that is there and ready.

Stands for kube-scheduler; events and conditions have its words. Requests for resources, affinity, taints and
priorities are not looked at: there is one node to choose from.
"""

from lab.apimachinery import conditions, events
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control

COMPONENT = "default-scheduler"


async def run(store: Store) -> None:
    """Bind pods without node, until cancelled."""

    def keys(event: Event) -> list[Key]:
        if event.resource == "pods":
            return [(event.object["metadata"]["namespace"], event.object["metadata"]["name"])]
        waiting = [pod["metadata"] for pod in store.list("pods") if "nodeName" not in pod["spec"]]
        return [(meta["namespace"], meta["name"]) for meta in waiting]

    await control(store, ["pods", "nodes"], keys, lambda key: reconcile(store, key))


def reconcile(store: Store, key: Key) -> None:
    """Bind one pod, or say why not."""
    namespace, name = key
    pod = store.find("pods", namespace, name)
    if pod is None or "nodeName" in pod["spec"] or "deletionTimestamp" in pod["metadata"]:
        return
    if pod["spec"].get("schedulerName", COMPONENT) != COMPONENT or pod["spec"].get("schedulingGates"):
        return
    nodes = store.list("nodes")
    for node in nodes:
        if _takes_pods(node) and _selects(pod, node):
            _bind(store, pod, node["metadata"]["name"])
            return
    message = "no nodes available to schedule pods"
    if nodes:
        message = f"0/{len(nodes)} nodes are available: {_reasons(pod, nodes)}."
    status = pod.get("status", {})
    conditions.put(status, "PodScheduled", "False", "Unschedulable", message, lastProbeTime=None)
    if store.update("pods", pod | {"status": status}, subresource="status")["metadata"] != pod["metadata"]:
        events.record(store, pod, "Warning", "FailedScheduling", message, COMPONENT)


def _takes_pods(node: Object) -> bool:
    ready = conditions.find(node.get("status", {}), "Ready")
    return ready is not None and ready["status"] == "True" and not node["spec"].get("unschedulable")


def _selects(pod: Object, node: Object) -> bool:
    wanted: dict[str, str] = pod["spec"].get("nodeSelector", {})
    labels: dict[str, str] = node["metadata"].get("labels", {})
    return wanted.items() <= labels.items()


def _reasons(pod: Object, nodes: list[Object]) -> str:
    closed = sum(node["spec"].get("unschedulable", False) for node in nodes)
    others = sum(_takes_pods(node) and not _selects(pod, node) for node in nodes)
    not_ready = len(nodes) - closed - others
    reasons = [f"{others} node(s) didn't match Pod's node affinity/selector"] if others else []
    reasons += [f"{not_ready} node(s) had untolerated taint(s)"] if not_ready else []
    reasons += [f"{closed} node(s) were unschedulable"] if closed else []
    return ", ".join(reasons)


def _bind(store: Store, pod: Object, node: str) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    pod["spec"]["nodeName"] = node
    bound = store.update("pods", pod)
    status = bound.get("status", {})
    conditions.put(status, "PodScheduled", "True", lastProbeTime=None)
    store.update("pods", bound | {"status": status}, subresource="status")
    events.record(store, pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", COMPONENT)
