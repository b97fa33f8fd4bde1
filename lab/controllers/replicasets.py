"""The ReplicaSet controller: as many pods of a template as asked for, the least useful deleted first.

Source: k8s.io/kubernetes/pkg/controller/replicaset. How it makes, chooses and deletes pods is how Jobs do so too.
"""

import copy

from lab.apimachinery import events
from lab.apimachinery.errors import StatusError
from lab.apimachinery.namespaces import is_terminating
from lab.apimachinery.ownership import claim, controller_of, controller_reference
from lab.apimachinery.podstate import available_in, is_active, is_ready, phase, ready_since, restarts
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.timestamps import epoch
from lab.apimachinery.workqueue import Key, control
from lab.objects import admission, defaults, strategies

COMPONENT = "replicaset-controller"
RETRY = 1.0  # seconds after which a creation that was refused is tried again
PHASES = ("Pending", "Unknown", "Running")  # in the order in which pods are given up


async def run(store: Store) -> None:
    """Keep every ReplicaSet's pods, until cancelled."""

    def keys(event: Event) -> list[Key]:
        namespace = event.object["metadata"]["namespace"]
        if event.resource == "replicasets":
            return [(namespace, event.object["metadata"]["name"])]
        owners = [controller_of(obj) for obj in (event.object, event.previous) if obj]
        if None in owners:  # any ReplicaSet may want to adopt it
            return [(namespace, rs["metadata"]["name"]) for rs in store.list("replicasets", namespace)]
        return [(namespace, owner["name"]) for owner in owners if owner and owner["kind"] == "ReplicaSet"]

    await control(store, ["replicasets", "pods"], keys, lambda key: reconcile(store, key))


def reconcile(store: Store, key: Key) -> float | None:
    """Bring one ReplicaSet's pods and status up to date."""
    namespace, name = key
    rs = store.find("replicasets", namespace, name)
    if rs is None:
        return None
    pods = claim(store, rs, [pod for pod in store.list("pods", namespace) if is_active(pod)])
    waits = [wait for pod in pods if (wait := available_in(pod, rs["spec"].get("minReadySeconds", 0)))]
    if "deletionTimestamp" not in rs["metadata"]:
        try:
            _manage_replicas(store, rs, pods)
        except StatusError:  # of which an event tells
            waits.append(RETRY)
    _update_status(store, rs, pods)
    return min(waits, default=None)


def _manage_replicas(store: Store, rs: Object, pods: list[Object]) -> None:
    """Create or delete what is missing or too much. Raises StatusError where a pod is refused."""
    surplus = len(pods) - rs["spec"]["replicas"]
    for _ in range(-surplus):
        create_pod(store, rs, COMPONENT)
    for pod in victims(pods, surplus):
        delete_pod(store, rs, pod, COMPONENT)


def victims(pods: list[Object], count: int) -> list[Object]:
    """The pods to delete when there are `count` too many.

    The order is ActivePodsWithRanks' of Kubernetes. Left out: its rank by node, as the lab has one node, its
    logarithmic scale of ages, which makes a random choice among pods of about the same age, and pod-deletion-cost.
    """

    def usefulness(pod: Object) -> tuple[object, ...]:
        since = ready_since(pod)
        return (
            "nodeName" in pod["spec"],
            PHASES.index(phase(pod)),
            since is not None,
            -epoch(since) if since else 0,
            -restarts(pod),
            -epoch(pod["metadata"]["creationTimestamp"]),
        )

    return sorted(pods, key=usefulness)[: max(0, count)]


def _update_status(store: Store, rs: Object, pods: list[Object]) -> None:
    template_labels = rs["spec"]["template"]["metadata"].get("labels", {}).items()
    ready = [pod for pod in pods if is_ready(pod)]
    available = [pod for pod in ready if available_in(pod, rs["spec"].get("minReadySeconds", 0)) == 0]
    counts = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(template_labels <= pod["metadata"].get("labels", {}).items() for pod in pods),
        "readyReplicas": len(ready),
        "availableReplicas": len(available),
    }
    status: Object = {"replicas": counts["replicas"]} | {field: count for field, count in counts.items() if count}
    status["observedGeneration"] = rs["metadata"]["generation"]
    store.update("replicasets", rs | {"status": status}, subresource="status")


def create_pod(store: Store, owner: Object, component: str) -> None:
    """Create a pod from the owner's template, through what the API server does to every new one. Raises StatusError.

    In a namespace that is being deleted, none.
    """
    namespace, pods = owner["metadata"]["namespace"], RESOURCES["pods"]
    if is_terminating(store, namespace):
        return
    template = copy.deepcopy(owner["spec"]["template"])
    meta = {
        "namespace": namespace,
        "generateName": f"{owner['metadata']['name']}-",
        "labels": template["metadata"]["labels"],
        "ownerReferences": [controller_reference(owner)],
    }
    meta |= {"annotations": a} if (a := template["metadata"].get("annotations")) else {}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    strategies.begin_create(pods, pod)
    defaults.set_defaults("pods", pod)
    strategies.finish_create(pods, pod)
    try:
        admission.check_create(store, pods, pod)
    except StatusError as error:
        events.record(store, owner, "Warning", "FailedCreate", f"Error creating: {error.message}", component)
        raise
    store.create("pods", pod)
    events.record(store, owner, "Normal", "SuccessfulCreate", f"Created pod: {meta['name']}", component)


def delete_pod(store: Store, owner: Object, pod: Object, component: str) -> None:
    """Delete a pod gracefully."""
    name = pod["metadata"]["name"]
    store.delete("pods", pod["metadata"]["namespace"], name)
    events.record(store, owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}", component)
