"""The EndpointSlice controller: which pods stand behind a Service, and whether they are ready, serving, terminating.

Source: k8s.io/endpointslice and KEP-1672. A pod that is being deleted stays in its slice, not ready any more, and
serving as long as its readiness probe says so. EndpointSlices that somebody else manages are left alone. Left out: that
a slice has no more than 100 endpoints; a laptop has not so many pods.
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
    wanted: defaultdict[str, list[Object]] = defaultdict(list)  # the endpoints by their ports
    for pod in store.list("pods", namespace):
        if _selects(service, pod) and not is_terminal(pod) and pod.get("status", {}).get("podIP"):
            wanted[json.dumps(_ports(service, pod))].append(_endpoint(service, pod))
    kept: dict[str, Object] = {}
    spare: list[Object] = []
    for slice_ in slices_of(store, namespace, name):
        if slice_["metadata"]["labels"].get(MANAGED_BY) == NAME:
            ports = json.dumps(slice_["ports"])
            if ports in wanted and ports not in kept:
                kept[ports] = slice_
            else:
                spare.append(slice_)
    for ports, endpoints in wanted.items():
        slice_ = kept.get(ports) or (spare.pop() if spare else _new(service))
        _write(store, service, slice_, json.loads(ports), endpoints)
    if not wanted:  # an empty one says that there is nothing, with null where there is no list
        _write(store, service, spare.pop() if spare else _new(service), None, None)
    for slice_ in spare:
        store.delete("endpointslices", namespace, slice_["metadata"]["name"])


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


def _write(
    store: Store, service: Object, slice_: Object, ports: list[Object] | None, endpoints: list[Object] | None
) -> None:
    """Give a slice, which may be a new one, its content and its Service's labels."""
    slice_["ports"], slice_["endpoints"] = ports, endpoints
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
