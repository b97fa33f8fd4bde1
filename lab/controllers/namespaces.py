"""The life of a namespace: what is in a new one, and that all its contents go before it does.

Stands for Kubernetes' namespace controller, its ServiceAccount controller and its root CA publisher.
"""

from collections import Counter

from lab.apimachinery import conditions
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control

CONTENTS = [resource.plural for resource in RESOURCES.values() if resource.namespaced]
ROOT_CA = "kube-root-ca.crt"


async def run(store: Store, ca: str) -> None:
    """Furnish new namespaces (`ca` is the API server's, in PEM) and empty those that are deleted, until cancelled."""

    def keys(event: Event) -> list[Key]:
        meta = event.object["metadata"]
        return [("", meta["name"] if event.resource == "namespaces" else meta["namespace"])]

    await control(store, ["namespaces", *CONTENTS], keys, lambda key: reconcile(store, key, ca))


def reconcile(store: Store, key: Key, ca: str) -> None:
    """Bring one namespace up to date."""
    _, name = key
    namespace = store.find("namespaces", "", name)
    if namespace is None:
        return
    if "deletionTimestamp" in namespace["metadata"]:
        _empty(store, namespace)
        return
    if namespace.get("status", {}).get("phase") != "Active":
        store.update("namespaces", namespace | {"status": {"phase": "Active"}}, subresource="status")
    if not store.find("serviceaccounts", name, "default"):
        meta: Object = {"namespace": name, "name": "default"}
        store.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    if not store.find("configmaps", name, ROOT_CA):
        meta = {"namespace": name, "name": ROOT_CA}
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": ca}}
        store.create("configmaps", config_map)


def _empty(store: Store, namespace: Object) -> None:
    """Delete what is in it, all pods before anything else; when nothing is left, let it go."""
    name = namespace["metadata"]["name"]
    for kinds in (["pods"], CONTENTS):
        for plural in kinds:
            for obj in store.list(plural, name):
                if "deletionTimestamp" not in obj["metadata"]:
                    store.delete(plural, name, obj["metadata"]["name"])
        left = {plural: objects for plural in kinds if (objects := store.list(plural, name))}
        if left:
            status = namespace.get("status", {}) | {"phase": "Terminating"}
            _note_remaining(status, left)
            store.update("namespaces", namespace | {"status": status}, subresource="status")
            return
    namespace["spec"]["finalizers"] = [f for f in namespace["spec"].get("finalizers", []) if f != "kubernetes"]
    store.update("namespaces", namespace)


def _note_remaining(status: Object, left: dict[str, list[Object]]) -> None:
    """The condition that says which finalizers a namespace that is being deleted still waits for."""
    held = Counter(f for objects in left.values() for obj in objects for f in obj["metadata"].get("finalizers", []))
    if held:
        counts = [f"{finalizer} in {number} resource instances" for finalizer, number in sorted(held.items())]
        message = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
        conditions.put(status, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
    else:
        conditions.remove(status, "NamespaceFinalizersRemaining")
