"""What a cluster's administrator has installed in the lab: the ingress controller, once somebody has an Ingress for it.

It knows the API's store and a file of manifests, as somebody who runs `kubectl apply` does.
"""

from contextlib import suppress
from pathlib import Path

import yaml

from lab.apimachinery import errors, events
from lab.apimachinery.namespaces import is_terminating
from lab.apimachinery.resources import resource_of
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.network import Network
from lab.objects.options import WriteOptions
from lab.objects.registry import Registry

INGRESS_NGINX = Path(__file__).parent / "ingress_nginx" / "deploy.yaml"
NAMESPACE, CONTROLLER = "ingress-nginx", "k8s.io/ingress-nginx"
AGAIN = 1.0  # seconds until it is tried again, where somebody has deleted the namespace and it is still going
CLASS_ANNOTATION = "kubernetes.io/ingress.class"  # deprecated since 1.18, and still in manifests


async def run(store: Store, network: Network) -> None:
    """Install until cancelled."""
    registry = Registry(store, network)
    manifests: list[Object] = list(yaml.safe_load_all(INGRESS_NGINX.read_text()))
    _install(registry, [obj for obj in manifests if obj["kind"] == "IngressClass"])

    def keys(event: Event) -> list[Key]:
        """The Ingress; or all, where it is a class that has changed."""
        found = [event.object] if event.object["kind"] == "Ingress" else store.list("ingresses")
        return [(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in found]

    def reconcile(key: Key) -> float | None:
        if not (ingress := store.find("ingresses", *key)):
            return None
        if problem := _unserved(store, ingress):
            events.record(store, ingress, "Warning", "NoController", problem, "ingress-class")
            return None
        if is_terminating(store, NAMESPACE):
            return AGAIN
        _install(registry, [obj for obj in manifests if obj["kind"] != "IngressClass"])
        return None

    await control(store, ["ingresses", "ingressclasses"], keys, reconcile)


def _install(registry: Registry, manifests: list[Object]) -> None:
    """Create what isn't there."""
    for obj in manifests:
        resource = resource_of(obj)
        assert resource
        with suppress(errors.AlreadyExists):
            registry.create(resource, obj["metadata"].get("namespace", ""), obj, WriteOptions(False, "Strict"))


def _unserved(store: Store, ingress: Object) -> str | None:
    """Why no controller has this Ingress; None where one has."""
    annotated = ingress["metadata"].get("annotations", {}).get(CLASS_ANNOTATION, "")
    name = ingress["spec"].get("ingressClassName", annotated)
    ours = [c["metadata"]["name"] for c in store.list("ingressclasses") if c["spec"].get("controller") == CONTROLLER]
    if name in ours:
        return None
    there = store.find("ingressclasses", "", name) if name else None
    if not name:
        what = "this Ingress names no class"
    else:
        of = f'is of the controller "{there["spec"].get("controller", "")}"' if there else "isn't there"
        what = f'IngressClass "{name}" {of}'
    remedy = f"set spec.ingressClassName to {' or '.join(ours)}" if ours else "make an IngressClass of it"
    return f"{what}; the lab runs no controller but {CONTROLLER}: {remedy}"
