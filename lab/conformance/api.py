"""The Kubernetes API in JSON as on the wire: a typed client would hide which fields are there and which are not.

lightkube contributes the connection: kubeconfig, CA, token.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import httpx2
import msgspec
import pytest
from lightkube import ApiError
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig
from lightkube.models.meta_v1 import Status

Object = dict[str, Any]
Objects = list[Object]
T = TypeVar("T")

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

GROUP_VERSIONS = {
    "deployments": "apis/apps/v1",
    "replicasets": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "poddisruptionbudgets": "apis/policy/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
    "ingresses": "apis/networking.k8s.io/v1",
    "ingressclasses": "apis/networking.k8s.io/v1",
}
CLUSTER_WIDE = ("namespaces", "nodes", "ingressclasses")


class Api:
    """One namespace of a cluster."""

    def __init__(self, config: SingleConfig, namespace: str) -> None:
        self.namespace = namespace
        self.http = client_adapter.AsyncClient(config, client_adapter.ConnectionParams(httpx2.Timeout(30)))

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        place = [] if plural in CLUSTER_WIDE else ["namespaces", self.namespace]
        return "/".join(filter(None, ["", GROUP_VERSIONS.get(plural, "api/v1"), *place, plural, name, subresource]))

    async def request(self, method: str, path: str, body: Any = None, **fields: Any) -> httpx2.Response:
        """`fields` are httpx's. Raises lightkube's ApiError."""
        if body is not None:
            fields["headers"] = {"Content-Type": "application/json"} | fields.get("headers", {})
            fields["content"] = json.dumps(body)
        response = await self.http.request(method, path, **fields)
        if response.is_error:
            raise ApiError(request=response.request, response=response)
        return response

    async def create(self, plural: str, obj: Object, **query: str) -> Object:
        return _json(await self.request("POST", self.path(plural), obj, params=query))

    async def get(self, plural: str, name: str, subresource: str = "") -> Object:
        return _json(await self.request("GET", self.path(plural, name, subresource)))

    async def list(self, plural: str, **query: str) -> Object:
        """The whole list object, its metadata included."""
        return _json(await self.request("GET", self.path(plural), params=query))

    async def version(self) -> str:
        """What a watch that sees only what comes from now on starts at."""
        return str((await self.list("configmaps"))["metadata"]["resourceVersion"])

    async def replace(self, plural: str, obj: Object, subresource: str = "", **query: str) -> Object:
        path = self.path(plural, obj["metadata"]["name"], subresource)
        return _json(await self.request("PUT", path, obj, params=query))

    async def patch(
        self, plural: str, name: str, patch: Any, kind: str = MERGE, subresource: str = "", **query: str
    ) -> Object:
        path = self.path(plural, name, subresource)
        return _json(await self.request("PATCH", path, patch, headers={"Content-Type": kind}, params=query))

    async def delete(
        self, plural: str, name: str = "", *, query: dict[str, str] | None = None, **options: Any
    ) -> Object:
        """`options` are those of DeleteOptions. Without a name, all that `query` selects."""
        return _json(await self.request("DELETE", self.path(plural, name), options, params=query))

    async def logs(self, pod: str, **query: str) -> str:
        return (await self.request("GET", self.path("pods", pod, "log"), params=query)).text

    @asynccontextmanager
    async def follow(self, pod: str, **query: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a log, as they are written, until the container ends."""
        path = self.path("pods", pod, "log")
        async with self.http.stream("GET", path, params={"follow": "true"} | query, timeout=None) as response:
            response.raise_for_status()
            yield response.aiter_lines()

    @asynccontextmanager
    async def watch(self, plural: str, **query: str) -> AsyncIterator[AsyncIterator[Object]]:
        """The events of one watch, until the server ends it."""
        async with self.http.stream("GET", self.path(plural), params={"watch": "true"} | query, timeout=None) as stream:
            if stream.is_error:
                await stream.aread()
                raise ApiError(request=stream.request, response=stream)
            yield (json.loads(line) async for line in stream.aiter_lines())

    @asynccontextmanager
    async def recording(self, plural: str, **query: str) -> AsyncIterator["Recording"]:
        """What happens from now on."""
        listed = await self.list(plural, **query)
        async with self.watch(plural, resourceVersion=listed["metadata"]["resourceVersion"], **query) as events:
            yield Recording(plural, listed["items"], events)

    async def until(
        self, plural: str, condition: Callable[[Objects], T], what: str, within: float = 40, **query: str
    ) -> T:
        """Watch until the objects that `query` selects fulfil the condition; return what it gave."""
        async with self.recording(plural, **query) as recording:
            return await recording.until(condition, what, within)

    async def until_one(
        self, plural: str, name: str, condition: Callable[[Object], T], what: str, within: float = 40
    ) -> Object:
        """Watch until one object fulfils the condition; return the object."""

        def fulfilled(objects: Objects) -> Object | None:
            return objects[0] if objects and condition(objects[0]) else None

        which = {"fieldSelector": f"metadata.name={name}"}
        return await self.until(plural, fulfilled, f"{plural}/{name}: {what}", within, **which) or {}

    async def until_gone(self, plural: str, name: str, within: float = 40) -> None:
        gone = f"{plural}/{name} is gone"
        await self.until(plural, lambda objects: not objects, gone, within, fieldSelector=f"metadata.name={name}")


class Recording:
    """What a watch tells: each event in its order, and what exists after the last one."""

    def __init__(self, plural: str, objects: Objects, events: AsyncIterator[Object]) -> None:
        self.plural = plural
        self.events: list[Object] = []
        self._objects = {obj["metadata"]["name"]: obj for obj in objects}
        self._events = events

    @property
    def objects(self) -> Objects:
        return list(self._objects.values())

    async def until(self, condition: Callable[[Objects], T], what: str, within: float = 40) -> T:
        """Take in events until what exists fulfils the condition; return what it gave."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (given := condition(self.objects)):
                    self._take(await anext(self._events))
                return given
        seen = [obj.get("status") or obj for obj in self.objects]
        pytest.fail(f"not within {within} s: {what}; {self.plural} are {json.dumps(seen):.4000}", pytrace=False)

    def _take(self, event: Object) -> None:
        if event["type"] == "ERROR":
            raise ApiError(status=msgspec.convert(event["object"], Status))
        name = event["object"]["metadata"]["name"]
        self.events.append(event)
        self._objects.pop(name, None)
        if event["type"] != "DELETED":
            self._objects[name] = event["object"]


@contextmanager
def refused(code: int, reason: str, message: str) -> Iterator[pytest.ExceptionInfo[ApiError]]:
    """The API answers what the block asks with this code and reason, and a message that contains this one."""
    with pytest.raises(ApiError) as caught:
        yield caught
    status = caught.value.status
    assert (status.code, status.reason) == (code, reason), status
    assert message in (status.message or ""), status


def _json(response: httpx2.Response) -> Object:
    answer: Object = response.json()
    return answer
