"""What a cluster's administrator has installed in the lab: the ingress controller, once somebody has an Ingress for it.

It knows the API's store and a file of manifests, as somebody who runs `kubectl apply` does.
"""

from functools import cache
from pathlib import Path

import yaml

from lab.apimachinery import events
from lab.apimachinery.namespaces import is_terminating
from lab.apimachinery.resources import resource_of
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.ingress_nginx.classes import class_of, served
from lab.network import Network
from lab.objects.options import WriteOptions
from lab.objects.registry import Registry

INGRESS_NGINX = Path(__file__).parent / "ingress_nginx"
NAMESPACE, CONTROLLER = "ingress-nginx", "k8s.io/ingress-nginx"
AGAIN = 1.0  # seconds until it is tried again, where somebody has deleted the namespace and it is still going


async def run(store: Store, network: Network) -> None:
    """Install until cancelled."""
    registry = Registry(store, network)
    _install(store, registry, "ingressclass.yaml")

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
        _install(store, registry, "deploy.yaml")
        return None

    await control(store, ["ingresses", "ingressclasses"], keys, reconcile)


def _install(store: Store, registry: Registry, file: str) -> None:
    """Create what isn't there."""
    for obj in _manifests(file):
        resource, meta = resource_of(obj), obj["metadata"]
        assert resource
        where = meta.get("namespace", "")
        if not store.find(resource.plural, where, meta["name"]):
            registry.create(resource, where, obj, WriteOptions(False, "Strict"))


@cache  # a lab without an Ingress needs one of them, which is read in no time
def _manifests(file: str) -> list[Object]:
    return list(yaml.safe_load_all((INGRESS_NGINX / file).read_text()))


def _unserved(store: Store, ingress: Object) -> str | None:
    """Why no controller has this Ingress; None where one has."""
    name, ours = class_of(ingress), served(store.list("ingressclasses"), CONTROLLER)
    if name in ours:
        return None
    there = store.find("ingressclasses", "", name) if name else None
    if not name:
        what = "this Ingress names no class"
    else:
        of = f'is of the controller "{there["spec"].get("controller", "")}"' if there else "isn't there"
        what = f'IngressClass "{name}" {of}'
    remedy = f"set spec.ingressClassName to {' or '.join(sorted(ours))}" if ours else "make an IngressClass of it"
    return f"{what}; the lab runs no controller but {CONTROLLER}: {remedy}"
