"""The EndpointSlice controller: which pods stand behind a Service, and whether they are ready, serving, terminating.

Source: k8s.io/endpointslice and KEP-1672. A pod that is being deleted stays in its slice, not ready any more, and
serving as long as its readiness probe says so. EndpointSlices that somebody else manages are left alone.
"""

import json
from collections import defaultdict

from lab.apimachinery.endpointslices import SERVICE_NAME, slices_of
from lab.apimachinery.ownership import controller_reference
from lab.apimachinery.podstate import is_ready, is_terminal
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.objects import strategies

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"
NAME = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100  # in a slice

# The ports and endpoints of a slice. Where there are none, Kubernetes has null, no empty list.
Contents = tuple[list[Object] | None, list[Object] | None]


async def run(store: Store) -> None:
    """Keep the slices of every Service with a selector, until cancelled."""

    def keys(event: Event) -> list[Key]:
        meta = event.object["metadata"]
        if event.resource == "services":
            return [(meta["namespace"], meta["name"])]
        if event.resource == "endpointslices":
            labels = meta.get("labels", {})
            return [(meta["namespace"], labels.get(SERVICE_NAME, ""))] if labels.get(MANAGED_BY) == NAME else []
        services = store.list("services", meta["namespace"])
        pods = [pod for pod in (event.object, event.previous) if pod]
        return [(meta["namespace"], s["metadata"]["name"]) for s in services if any(_selects(s, pod) for pod in pods)]

    await control(store, ["services", "pods", "endpointslices"], keys, lambda key: reconcile(store, key))


def _selects(service: Object, pod: Object) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and selector.items() <= pod["metadata"].get("labels", {}).items()


def reconcile(store: Store, key: Key) -> None:
    """Bring the slices of one Service up to date."""
    namespace, name = key
    service = store.find("services", namespace, name)
    if service is None or not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
        return
    wanted: defaultdict[str, dict[str, Object]] = defaultdict(dict)  # by the ports, then by the pod's uid
    for pod in store.list("pods", namespace):
        if _selects(service, pod) and not is_terminal(pod) and pod.get("status", {}).get("podIP"):
            wanted[json.dumps(_ports(service, pod))][pod["metadata"]["uid"]] = _endpoint(service, pod)
    slices = [s for s in slices_of(store, namespace, name) if s["metadata"]["labels"].get(MANAGED_BY) == NAME]
    spare = [slice_ for slice_ in slices if not _update(store, service, slice_, wanted)]
    contents: list[Contents] = []
    for ports, group in wanted.items():
        endpoints = list(group.values())
        parts = [endpoints[start : start + MAX_ENDPOINTS] for start in range(0, len(endpoints), MAX_ENDPOINTS)]
        contents += [(json.loads(ports), part) for part in parts]
    if not contents and len(spare) == len(slices):
        contents = [(None, None)]  # an empty one says that there is nothing
    for content in contents:
        _write(store, service, spare.pop() if spare else _new(service), content)
    for slice_ in spare:
        store.delete("endpointslices", namespace, slice_["metadata"]["name"])


def _update(store: Store, service: Object, slice_: Object, wanted: dict[str, dict[str, Object]]) -> bool:
    """Let a slice keep its endpoints that are still wanted, and take others with the same ports while it has room.

    What it has is then no longer in `wanted`. False where it would be empty.
    """
    group = wanted.get(json.dumps(slice_["ports"] or []), {})
    uids = [endpoint["targetRef"]["uid"] for endpoint in slice_["endpoints"] or []]
    uids = [uid for uid in uids if uid in group]
    uids += [uid for uid in group if uid not in uids][: MAX_ENDPOINTS - len(uids)]
    endpoints = [group.pop(uid) for uid in uids]
    if not group:
        wanted.pop(json.dumps(slice_["ports"] or []), None)
    if endpoints:
        _write(store, service, slice_, (slice_["ports"], endpoints))
    return bool(endpoints)


def _new(service: Object) -> Object:
    meta = {
        "namespace": service["metadata"]["namespace"],
        "generateName": f"{service['metadata']['name']}-",
        "ownerReferences": [controller_reference(service)],
    }
    slice_: Object = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    slice_["metadata"] = meta
    strategies.begin_create(RESOURCES["endpointslices"], slice_)  # which chooses its name
    return slice_


def _write(store: Store, service: Object, slice_: Object, content: Contents) -> None:
    """Give a slice, which may be a new one, its content and its Service's labels."""
    slice_["ports"], slice_["endpoints"] = content
    slice_["metadata"]["labels"] = _labels(service)
    if "resourceVersion" in slice_["metadata"]:
        store.update("endpointslices", slice_)
    else:
        store.create("endpointslices", slice_)


def _labels(service: Object) -> dict[str, str]:
    own = {SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: NAME}
    own |= {HEADLESS: ""} if service["spec"].get("clusterIP", "None") in ("None", "") else {}
    others = {k: v for k, v in service["metadata"].get("labels", {}).items() if k != HEADLESS}
    return others | own


def _endpoint(service: Object, pod: Object) -> Object:
    meta, spec = pod["metadata"], pod["spec"]
    serving = is_ready(pod)
    terminating = "deletionTimestamp" in meta
    ready = service["spec"].get("publishNotReadyAddresses", False) or (serving and not terminating)
    endpoint = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
    }
    endpoint |= {"nodeName": spec["nodeName"]} if "nodeName" in spec else {}
    if "hostname" in spec and spec.get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def _ports(service: Object, pod: Object) -> list[Object]:
    """The Service's ports as this pod has them; one whose name the pod does not have is left out."""
    ports = []
    for port in service["spec"].get("ports", []):
        number = _port_number(pod, port)
        if number is not None:
            found = {"name": port.get("name", ""), "port": number, "protocol": port["protocol"]}
            ports.append(found | ({"appProtocol": port["appProtocol"]} if "appProtocol" in port else {}))
    return ports


def _port_number(pod: Object, service_port: Object) -> int | None:
    target: int | str = service_port["targetPort"]
    if isinstance(target, int):
        return target
    sidecars = [c for c in pod["spec"].get("initContainers", []) if c.get("restartPolicy") == "Always"]
    for container in pod["spec"]["containers"] + sidecars:
        for port in container.get("ports", []):
            if (port.get("name"), port["protocol"]) == (target, service_port["protocol"]):
                number: int = port["containerPort"]
                return number
    return None
