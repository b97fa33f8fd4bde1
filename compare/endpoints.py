"""The addresses behind a Service, from its EndpointSlices, and when we heard of each."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from compare.api import Api, Object


@dataclass(frozen=True)
class Backend:
    """A pod that its EndpointSlice lists as ready."""

    address: str
    port: int
    heard: float  # of it: our receipt of the watch's event, in seconds since the epoch by this machine's clock


PORT = "grpc"  # the name of the greeters' port in all manifests


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
