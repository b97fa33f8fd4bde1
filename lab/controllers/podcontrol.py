"""How controllers make and delete pods (RealPodControl of k8s.io/kubernetes/pkg/controller): with owner and events.

A pod passes through what the API server does to every new pod.
"""

import copy

from lab.apimachinery import events
from lab.apimachinery.errors import StatusError
from lab.apimachinery.namespaces import is_terminating
from lab.apimachinery.ownership import controller_reference
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Object, Store
from lab.objects import admission, defaults, strategies


def create_pod(store: Store, owner: Object, component: str, *, finalizers: list[str] | None = None) -> None:
    """Create a pod from the owner's template; in a namespace that is being deleted, none. Raises StatusError."""
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
    meta |= {"finalizers": finalizers} if finalizers else {}
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
