"""A demo's pods: which of them are ready, and when we heard so; why the others aren't, in the cluster's words."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from compare.api import Api, Object

PORT = "grpc"  # the name of the greeters' port in all manifests
# What waiting longer won't mend, and what will.
HOPELESS = {
    "ImagePullBackOff": "bring the image to the nodes with k8s/load",
    "ErrImageNeverPull": "bring the image to the nodes with k8s/load",
    "InvalidImageName": "mend the manifest",
    "CreateContainerConfigError": "mend the manifest",
}


@dataclass(frozen=True)
class Backend:
    """A pod that its EndpointSlice lists as ready."""

    address: str
    port: int
    heard: float  # of it: our receipt of the watch's event, in seconds since the epoch by this machine's clock


def ready(slices: Iterable[Object]) -> dict[str, int]:
    """The greeters that EndpointSlices list as ready (KEP-1672): addresses with their port.

    A slice without that port is of other pods that the Service selects, too.
    """
    return {
        address: port["port"]
        for slice_ in slices
        for port in slice_.get("ports") or ()
        if port.get("name") == PORT
        for endpoint in slice_.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready")
        for address in endpoint["addresses"]
    }


class Backends:
    """Those of one Service, kept up to date by `follow`."""

    def __init__(self, api: Api, namespace: str, service: str = "greeter-server") -> None:
        self._api = api
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._label = f"kubernetes.io/service-name={service}"
        self._changed = asyncio.Condition()
        self.now: dict[str, Backend] = {}  # by address

    async def follow(self) -> None:
        """Watch until cancelled."""
        async for slices in self._api.watch(self._path, labelSelector=self._label):
            heard = time.time()
            async with self._changed:
                found = ready(slices.values())
                self.now = {a: self.now.get(a, Backend(a, port, heard)) for a, port in found.items()}
                self._changed.notify_all()

    async def count(self, number: int) -> dict[str, Backend]:
        """Wait until exactly so many are ready, and return them."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.now) == number)
            return dict(self.now)


def hopeless(pods: Iterable[Object]) -> str:
    """The first reason for which waiting longer is no use, or "" where there is none."""
    for pod in pods:
        for status in _containers(pod):
            waiting = status["state"].get("waiting", {})
            if remedy := HOPELESS.get(waiting.get("reason", "")):
                said = f"{waiting['reason']}: {waiting.get('message', status['image'])}"
                return f"pod {pod['metadata']['name']}: {said}; {remedy}"
    return ""


async def reasons(api: Api, namespace: str, pods: Iterable[Object]) -> str:
    """What keeps pods from being Ready: the last warning about each, or the state it is in; those that aren't first."""
    events = (await api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
    warnings = [event for event in events if event["type"] == "Warning"]
    found = {}
    for pod in sorted(pods, key=_ready):
        name = pod["metadata"]["name"]
        about = [w for w in warnings if w["involvedObject"].get("name") == name]
        latest = max(about, key=lambda w: w.get("lastTimestamp") or w["metadata"]["creationTimestamp"], default=None)
        if latest:
            found[name] = f"{latest['reason']}: {latest['message'].strip()}"
        elif not _ready(pod):
            found[name] = f"{pod['status'].get('phase', 'Pending')}, and no event says why"
    if not found:  # no pod at all: its ReplicaSet knows
        found = {w["involvedObject"]["name"]: f"{w['reason']}: {w['message'].strip()}" for w in warnings[-1:]}
    name, reason = next(iter(found.items()), ("", "no pod and no event say why"))
    return f"{name}: {reason}" if name else reason


def _containers(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
