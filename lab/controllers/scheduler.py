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
    node = next(iter(store.list("nodes")), None)
    message = _obstacle(pod, node) if node else "no nodes available to schedule pods"
    if node and not message:
        _bind(store, pod, node["metadata"]["name"])
        return
    status = pod.get("status", {})
    conditions.put(status, "PodScheduled", "False", "Unschedulable", message, lastProbeTime=None)
    if store.update("pods", pod | {"status": status}, subresource="status")["metadata"] != pod["metadata"]:
        events.record(store, pod, "Warning", "FailedScheduling", message, COMPONENT)


def _obstacle(pod: Object, node: Object) -> str:
    """Why the pod can't go to the node; "" where it can."""
    ready = conditions.find(node.get("status", {}), "Ready")
    wanted, labels = pod["spec"].get("nodeSelector", {}), node["metadata"].get("labels", {})
    if node["spec"].get("unschedulable"):
        why = "were unschedulable"
    elif ready is None or ready["status"] != "True":
        why = "had untolerated taint(s)"
    elif not wanted.items() <= labels.items():
        why = "didn't match Pod's node affinity/selector"
    else:
        return ""
    return f"0/1 nodes are available: 1 node(s) {why}."


def _bind(store: Store, pod: Object, node: str) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    pod["spec"]["nodeName"] = node
    bound = store.update("pods", pod)
    status = bound.get("status", {})
    conditions.put(status, "PodScheduled", "True", lastProbeTime=None)
    store.update("pods", bound | {"status": status}, subresource="status")
    events.record(store, pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", COMPONENT)
