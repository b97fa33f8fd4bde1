"""What the tests share: to wait with a deadline, and to play the kubelet by writing pod statuses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, TypeVar

from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Object, Store, now
from lab.objects.defaults import set_defaults

T = TypeVar("T")


async def until(condition: Callable[[], T], what: str, within: float = 20) -> T:
    """Wait for the condition to be truthy and return what it gave."""
    deadline = asyncio.get_running_loop().time() + within
    while not (found := condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        await asyncio.sleep(0.005)
    return found


async def settled(store: Store, quiet: float = 0.05, within: float = 20) -> None:
    """Wait until nothing has been written for a while: the controllers have done what they will do."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        version = store.version
        await asyncio.sleep(quiet)
        if store.version == version:
            return
        assert asyncio.get_running_loop().time() < deadline, f"the store is still changing after {within} s"


@asynccontextmanager
async def running(*components: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run components for the length of the block; one that ends or fails by itself fails the test."""
    tasks = [asyncio.ensure_future(component) for component in components]
    try:
        yield
        ended = [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert not ended, f"ended by themselves: {results}"


def create(store: Store, plural: str, name: str, meta: Object | None = None, **fields: Any) -> Object:
    """Create an object, in the namespace `shop` where its kind has one, with the defaults of its kind."""
    resource = RESOURCES[plural]
    metadata = {"name": name} | ({"namespace": "shop"} if resource.namespaced else {}) | (meta or {})
    obj = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata} | deepcopy(fields)
    set_defaults(plural, obj)
    return store.create(plural, obj)


def create_service(store: Store, name: str = "web", **spec: Any) -> Object:
    """A headless Service with the port `grpc`, 80 to 8000, in front of the pods with the label app=web."""
    ports = [{"name": "grpc", "port": 80, "targetPort": 8000}]
    own = {"clusterIP": "None", "selector": {"app": "web"}, "ports": ports}
    return create(store, "services", name, spec=own | spec)


def create_slice(
    store: Store, *endpoints: Object | str, name: str = "web", service: str = "web", port: int = 8000
) -> Object:
    """A slice of a Service; of an endpoint that is ready the address is enough."""
    labels = {"kubernetes.io/service-name": service}
    full = [ready_endpoint(e) if isinstance(e, str) else e for e in endpoints]
    ports = [{"name": "grpc", "port": port, "protocol": "TCP"}]
    return create(store, "endpointslices", name, {"labels": labels}, addressType="IPv4", ports=ports, endpoints=full)


def ready_endpoint(address: str) -> Object:
    return {"addresses": [address], "conditions": {"ready": True, "serving": True, "terminating": False}}


def namespace(store: Store, name: str = "shop") -> Object:
    return store.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def set_status(store: Store, pod: Object, **fields: Any) -> None:
    """Change fields of a pod's status as the kubelet would."""
    meta = pod["metadata"]

    def change(stored: Object) -> None:
        stored["status"] = stored.get("status", {}) | fields

    store.mutate("pods", meta["namespace"], meta["name"], change, subresource="status")


def set_ready(store: Store, pod: Object, *, ready: bool = True, since: str | None = None, ip: str = "") -> None:
    """Report a pod as Running, and ready or not."""
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": since or now()}]
    addresses: Object = {"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}
    set_status(store, pod, phase="Running", conditions=conditions, **addresses)


def pods(store: Store, **labels: str) -> list[Object]:
    """The pods with these labels, oldest first."""
    found = [p for p in store.list("pods") if labels.items() <= p["metadata"].get("labels", {}).items()]
    return sorted(found, key=lambda pod: int(pod["metadata"]["resourceVersion"]))


def messages(store: Store, reason: str) -> list[str]:
    """The messages of the events with this reason, in the order in which they were first recorded."""
    found = [event for event in store.list("events") if event["reason"] == reason]
    return [e["message"] for e in sorted(found, key=lambda e: e["metadata"]["name"].rpartition(".")[2])]
