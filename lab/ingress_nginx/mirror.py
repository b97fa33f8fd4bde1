"""A copy of what the cluster holds of some kinds, which the API keeps up to date: client-go's informers, in short."""

import asyncio
import logging
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.core.resource import NamespacedResource
from lightkube.resources.core_v1 import ConfigMap, Secret, Service
from lightkube.resources.discovery_v1 import EndpointSlice
from lightkube.resources.networking_v1 import Ingress, IngressClass

from endpoint_watch.backoff import Backoff

log = logging.getLogger(__name__)

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name
WATCH = 300  # seconds that the API is asked to keep a watch, or one that is half open would never be noticed
KINDS = (ConfigMap, EndpointSlice, Ingress, IngressClass, Secret, Service)


class Mirror:
    """The objects by kind, then by namespace and name. `changed` is set after every change."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._found: dict[str, dict[Key, Object]] = {}
        self.changed = asyncio.Event()

    def all(self, kind: str) -> dict[Key, Object]:
        return self._found[kind]

    @property
    def complete(self) -> bool:
        """Whether every kind has been listed."""
        return len(self._found) == len(KINDS)

    async def run(self) -> None:
        """Follow them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in KINDS:
                tasks.create_task(self._follow(kind))

    async def _follow(self, kind: Any) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._listed_and_watched(kind)
            except ApiError as error:
                if error.status.code != 410:  # Gone: so much has happened that it is listed anew
                    log.warning("the API refuses %ss: %s; trying again", kind.__name__, error.status.message)
            except httpx2.RequestError as error:
                log.warning("the API is away: %s; trying again, and going by what is known", error)
            await asyncio.sleep(backoff.pause())

    async def _listed_and_watched(self, kind: Any) -> None:
        where: Any = {"namespace": "*"} if issubclass(kind, NamespacedResource) else {}
        listed = self._client.list(kind, **where)
        objects = {_key(obj): obj async for obj in _dicts(listed)}
        self._found[kind.__name__] = objects
        self.changed.set()
        version = listed.resourceVersion
        async for event, obj in self._client.watch(kind, resource_version=version, server_timeout=WATCH, **where):
            found = obj.to_dict()
            if event == "DELETED":
                objects.pop(_key(found), None)
            else:
                objects[_key(found)] = found
            self.changed.set()


async def _dicts(listed: Any) -> Any:
    async for obj in listed:
        yield obj.to_dict()


def _key(obj: Object) -> Key:
    meta = obj["metadata"]
    return meta.get("namespace") or "", meta["name"]
