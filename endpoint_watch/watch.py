"""EndpointSlices, watched: which endpoints each Service has, now and after each change.

One watch serves all Services that are asked for: it selects them by label, costs the API server one connection, and
puts their changes in one order.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from endpoint_watch.connection import Api
from endpoint_watch.endpoints import SERVICE_NAME, Endpoint, Object, usable
from endpoint_watch.reflector import Kind, reflect


@dataclass(frozen=True)
class Snapshot:
    """The endpoints of one Service that are to get calls."""

    service: str
    endpoints: tuple[Endpoint, ...]
    heard: float  # when we heard of it, by time.monotonic()
    stale: bool = False  # the API is away: this was so when it was last heard of
    there: bool = True  # whether it has an EndpointSlice at all: one that isn't there, or is deleted, has none


def watch(
    api: Api,
    services: Sequence[str] = (),
    *,
    namespace: str = "",
    port: str = "",
    listed: asyncio.Event | None = None,
) -> AsyncGenerator[Snapshot, None]:
    """A snapshot of each Service as it is, then one after each change, until it is closed.

    `services` are those of the namespace (the kubeconfig's by default) that are watched: all without any. `port` is the
    name of their port. A Service without endpoints, or that isn't there, has an empty snapshot. While the API is away,
    the last known snapshots are given once more, as stale, and again when it is back. `listed` is set when each Service
    that there is at first has been given. It tries for ever: that an API is away or refuses is logged, with the remedy,
    and raises nothing.
    """
    kind = Kind(
        name="EndpointSlices",
        resource="endpointslices of discovery.k8s.io",
        path=f"/apis/discovery.k8s.io/v1/namespaces/{namespace or api.namespace}/endpointslices",
        selector={"labelSelector": f"{SERVICE_NAME} in ({','.join(services)})" if services else SERVICE_NAME},
    )
    return reflect(api, kind, _Slices(services, port), listed)


class _Slices:
    """What is known of them, by the last list and the events since."""

    def __init__(self, services: Sequence[str], port: str) -> None:
        self._port = port
        self._services = tuple(services)
        self._slices: dict[str, dict[str, Object]] = {}  # by Service, then by name
        self._snapshots: dict[str, Snapshot] = {}  # the last given of each Service

    def listed(self, objects: list[Object]) -> Iterable[Snapshot]:
        """What differs from what was known."""
        heard = time.monotonic()
        known = set(self._slices)
        self._slices = {}
        for slice_ in objects:
            self._slices.setdefault(_service(slice_), {})[slice_["metadata"]["name"]] = slice_
        services = sorted(known | set(self._slices) | set(self._services))
        return list(self._changed(services, heard))

    def changed(self, obj: Object, *, deleted: bool) -> Iterable[Snapshot]:
        """Take in one slice; what it changes."""
        heard = time.monotonic()
        name, service = obj["metadata"]["name"], _service(obj)
        touched = {service} | {other for other, slices in self._slices.items() if name in slices}
        for other in touched:
            self._slices.setdefault(other, {}).pop(name, None)
        if not deleted:
            self._slices[service][name] = obj
        return list(self._changed(sorted(touched), heard))

    def contact(self, *, there: bool) -> Iterator[Snapshot]:
        """All snapshots that are not marked so yet, marked so."""
        stale = not there
        for service, snapshot in sorted(self._snapshots.items()):
            if snapshot.stale != stale:
                self._snapshots[service] = replace(snapshot, stale=stale)
                yield self._snapshots[service]

    def _changed(self, services: Iterable[str], heard: float) -> Iterator[Snapshot]:
        """Snapshots of those whose endpoints differ from the last one given."""
        for service in services:
            slices = self._slices.get(service, {}).values()
            there = bool(slices)
            endpoints = usable(slices, self._port)
            last = self._snapshots.get(service)
            if last and (last.endpoints, last.there) == (endpoints, there):
                continue
            self._snapshots[service] = snapshot = Snapshot(service, endpoints, heard, there=there)
            if not there and service not in self._services:  # of those that come and go, nothing stays
                del self._snapshots[service]
                self._slices.pop(service, None)
            if there or last or service in self._services:
                yield snapshot


def _service(slice_: Object) -> str:
    return str(slice_["metadata"]["labels"][SERVICE_NAME])
