"""Lists EndpointSlices once, then watches what happens to them, for as long as it is asked to.

One watch serves all Services that are asked for: it selects them by label, costs the API server one connection, and
puts their changes in one order. Source of the rules: "Efficient detection of changes" in Kubernetes' API concepts, and
client-go's reflector.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import httpx2
from lightkube.core.exceptions import ConfigError

from endpoint_watch.backoff import Backoff
from endpoint_watch.connection import TIMEOUT, Api
from endpoint_watch.endpoints import SERVICE_NAME, Endpoint, Object, usable

log = logging.getLogger(__name__)

# In seconds.
WATCH = (300, 600)  # that the API is asked to keep a watch, at random, so that not all clients come again at once
# A watch that is silent for longer may be half open: another is asked for. There is a bookmark every minute, but only
# if an EndpointSlice of the cluster has changed since the list; a quiet cluster costs one request more in this time.
SILENCE = 90.0
SHORT = 1.0  # a watch that ends before that is none
UNREACHABLE = (httpx2.RequestError, ConfigError, OSError)  # the second where the credentials can't be had
SENSELESS = (ValueError, LookupError, TypeError, AttributeError)  # of answers that are no Kubernetes API's
REMEDIES = {
    401: "is the token of its ServiceAccount mounted, or the kubeconfig's user right?",
    403: "let its Role get, list and watch endpointslices of discovery.k8s.io",
}


@dataclass(frozen=True)
class Snapshot:
    """The endpoints of one Service that are to get calls."""

    service: str
    endpoints: tuple[Endpoint, ...]
    heard: float  # when we heard of it, by time.monotonic()
    stale: bool = False  # the API is away: this was so when it was last heard of


class Away(Exception):
    """The API can't be asked for now, or refuses; the message says why, and the remedy where one is known."""


class Gone(Exception):
    """What happened since is no longer known to the API (410): it must be listed again."""


async def watch(
    api: Api, services: Sequence[str] = (), *, namespace: str = "", port: str = ""
) -> AsyncGenerator[Snapshot, None]:
    """A snapshot of each Service as it is, then one after each change, until it is closed.

    `services` are those of the namespace (the kubeconfig's by default) that are watched: all without any. `port` is the
    name of their port. A Service without endpoints, or that isn't there, has an empty snapshot. While the API is away,
    the last known snapshots are given once more, as stale, and again when it is back. It tries for ever: that an API is
    away or refuses is logged, with the remedy, and raises nothing.
    """
    watching = _Watching(api, services, namespace or api.namespace, port)
    backoff = Backoff()
    while True:
        began, listing, problem = time.monotonic(), not watching.version, ""
        try:
            if listing:
                for snapshot in await watching.listed():
                    yield snapshot
                began = time.monotonic()
            async with aclosing(watching.followed()) as snapshots:
                async for snapshot in snapshots:
                    yield snapshot
        except Away as away:
            problem = str(away)
            for snapshot in watching.marked(stale=True):
                yield snapshot
        except Gone:
            watching.version = ""
        # What is forgotten is listed at once; unless that has just been done.
        if not problem and (watching.version or listing) and time.monotonic() < began + SHORT:
            problem = f"watches end within {SHORT:g} s"
        if problem:
            pause = backoff.pause()
            log.warning("EndpointSlices can't be watched: %s. Trying again in %.1f s", problem, pause)
            await asyncio.sleep(pause)


class _Watching:
    """What is known of the slices, by the last list and the events since."""

    def __init__(self, api: Api, services: Sequence[str], namespace: str, port: str) -> None:
        self._http = api.http
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._selector = f"{SERVICE_NAME} in ({','.join(services)})" if services else SERVICE_NAME
        self._port = port
        self._services = tuple(services)
        self.version = ""  # of all that has been heard of; "" where it must be listed
        self._slices: dict[str, dict[str, Object]] = {}  # by Service, then by name
        self._snapshots: dict[str, Snapshot] = {}  # the last given of each Service

    async def listed(self) -> list[Snapshot]:
        """Ask for all of them as they are now; what differs from what was known. Raises Gone and Away."""
        try:
            response = await self._http.get(self._path, params={"labelSelector": self._selector})
        except UNREACHABLE as error:
            raise self._unreachable(error) from error
        self._check(response)
        try:
            listed = response.json()
            items, self.version = listed["items"], listed["metadata"]["resourceVersion"]
        except SENSELESS as error:
            raise Away(f"{response.request.url} answers no list; is it a Kubernetes API?") from error
        heard = time.monotonic()
        known = set(self._slices)
        self._slices = {}
        for slice_ in items:
            self._slices.setdefault(_service(slice_), {})[slice_["metadata"]["name"]] = slice_
        services = sorted(known | set(self._slices) | set(self._services))
        return list(self._changed(services, heard))

    async def followed(self) -> AsyncGenerator[Snapshot, None]:
        """Watch until the API or the network ends it. Raises Gone, and Away where it could not begin."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": self._selector,
            "resourceVersion": self.version,
            "timeoutSeconds": str(random.randint(*WATCH)),  # noqa: S311  no secret
        }
        begun = False
        try:
            timeout = httpx2.Timeout(TIMEOUT, read=SILENCE)
            async with self._http.stream("GET", self._path, params=query, timeout=timeout) as response:
                if not response.is_success:
                    await response.aread()
                self._check(response)
                begun = True
                for snapshot in self.marked(stale=False):
                    yield snapshot
                rest = b""  # httpx's own lines end at characters, too, that JSON has in its strings
                async for chunk in response.aiter_bytes():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        for snapshot in self._heard(line):
                            yield snapshot
        except UNREACHABLE as error:
            if not begun:
                raise self._unreachable(error) from error
            log.debug("The watch of EndpointSlices broke off: %s", _reason(error))

    def marked(self, *, stale: bool) -> Iterator[Snapshot]:
        """All snapshots that are not marked so yet, marked so."""
        for service, snapshot in sorted(self._snapshots.items()):
            if snapshot.stale != stale:
                self._snapshots[service] = replace(snapshot, stale=stale)
                yield self._snapshots[service]

    def _heard(self, line: bytes) -> list[Snapshot]:
        """Take in one event; what it changes. Raises Gone and Away."""
        heard = time.monotonic()
        try:
            event = json.loads(line)
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                if obj.get("code") == 410:
                    raise Gone
                raise Away(f"the watch says {obj.get('reason')}: {obj.get('message')}")
            snapshots = [] if kind == "BOOKMARK" else self._taken(obj, heard, deleted=kind == "DELETED")
            self.version = obj["metadata"]["resourceVersion"]
        except SENSELESS as error:
            raise Away(f"the watch gave no event: {_reason(error)}") from error
        return snapshots

    def _taken(self, slice_: Object, heard: float, *, deleted: bool) -> list[Snapshot]:
        """Take in one slice; what it changes."""
        name, service = slice_["metadata"]["name"], _service(slice_)
        touched = {service} | {other for other, slices in self._slices.items() if name in slices}
        for other in touched:
            self._slices.setdefault(other, {}).pop(name, None)
        if not deleted:
            self._slices[service][name] = slice_
        return list(self._changed(sorted(touched), heard))

    def _changed(self, services: Iterable[str], heard: float) -> Iterator[Snapshot]:
        """Snapshots of those whose endpoints differ from the last one given."""
        for service in services:
            endpoints = usable(self._slices.get(service, {}).values(), self._port)
            last = self._snapshots.get(service)
            if not last or last.endpoints != endpoints:
                self._snapshots[service] = Snapshot(service, endpoints, heard)
                yield self._snapshots[service]

    def _check(self, response: httpx2.Response) -> None:
        if response.status_code == 410:
            raise Gone
        if not response.is_success:
            try:
                said = str(response.json()["message"])
            except SENSELESS:
                said = response.reason_phrase
            remedy = REMEDIES.get(response.status_code, "is the cluster well?")
            raise Away(f"{self._http.base_url} answers {response.status_code}: {said}; {remedy}")

    def _unreachable(self, error: Exception) -> Away:
        return Away(f"{self._http.base_url} can't be reached: {_reason(error)}; is KUBECONFIG right?")


def _service(slice_: Object) -> str:
    return str(slice_["metadata"]["labels"][SERVICE_NAME])


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
