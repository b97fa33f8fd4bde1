"""The addresses of Services: given when one is created, taken back when it is gone.

Stands for the ClusterIP allocator of k8s.io/kubernetes/pkg/registry/core/service and its repair loop.
"""

from lab.apimachinery.errors import LabError, StatusError
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Object, Store
from lab.network import Network
from lab.objects.validation import fields


def assign(service: Object, network: Network) -> str | None:
    """Give a new Service its clusterIP, unless it is headless or a mere alias; return what was taken for it.

    Raises errors.StatusError.
    """
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        return None
    given = spec.get("clusterIP") or next(iter(spec.get("clusterIPs", [])), "")
    if given not in ("", "None") and not network.claim(given):
        say = f"failed to allocate IP {given}: it is not free, or not of the lab's network {network.node}/24"
        wrong = fields.invalid("spec.clusterIPs", [given], say)
        raise fields.as_error(RESOURCES["services"], service["metadata"]["name"], [wrong])
    try:
        spec["clusterIP"] = given or network.allocate()
    except LabError as error:
        raise StatusError(f"failed to allocate a serviceIP: {error}") from error
    spec["clusterIPs"] = [spec["clusterIP"]]
    return of(service)


def keep(service: Object, old: Object) -> None:
    """Let an updated Service that doesn't say its address keep it, and one that becomes an alias lose it.

    As patchAllocatedValues and dropTypeDependentFields do.
    """
    new, before = service["spec"], old["spec"]
    if new["type"] == "ExternalName":
        if new.get("clusterIP") == before.get("clusterIP"):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
    elif before["type"] != "ExternalName" and not new.get("clusterIP"):
        new |= {field: before[field] for field in ("clusterIP", "clusterIPs")}
    elif new.get("clusterIP") and new.get("clusterIPs") in (None, before.get("clusterIPs")):
        new["clusterIPs"] = [new["clusterIP"]]  # who changes the one means the other


def of(service: Object) -> str | None:
    """The address that a Service holds."""
    address: str = service["spec"].get("clusterIP", "None")
    return None if address in ("", "None") else address


async def run(store: Store, network: Network) -> None:
    """Release the addresses of Services that are gone or need none any more."""
    with store.watch(["services"]) as events:
        async for event in events:
            before = of(event.previous) if event.previous else None
            now = None if event.type == "DELETED" else of(event.object)
            if before and before not in (now, network.node):  # the node's is the Service `kubernetes`'s
                network.release(before)
