"""The Kubernetes API in JSON, as on the wire, so that what is sent is what lies in a manifest, field by field.

It may be away for a moment. lightkube contributes the API's errors.
"""

import json
from asyncio import sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from urllib.request import getproxies_environment

import httpx2
from lightkube import ApiError

from compare.errors import ClusterError
from endpoint_watch.backoff import Backoff as Pauses

Object = dict[str, Any]

BEARABLE = 30.0  # seconds that the API may be away, of its restart say, before that is an error
SHORT = 1.0  # seconds: a watch that ends before that is none
NOT_REACHED = (httpx2.RequestError, httpx2.InvalidURL, OSError)  # the last of TLS
AWAY = (429, 502, 503, 504)  # answers of what stands before an API that is away, or overburdened
MERGE = "application/merge-patch+json"


class Away(ClusterError):
    """The API doesn't answer for now."""


class Api:
    """A connection to a cluster. Paths are those of the API: /api/v1/namespaces/shop/pods."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._met = False  # whether it has ever answered
        self._resources: dict[str, dict[str, Object]] = {}  # by apiVersion and kind

    async def request(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: str
    ) -> Object:
        """Raises lightkube's ApiError where the API refuses, ClusterError where it can't be reached.

        Once it has answered, it may be away for a moment, where that can't have anything done twice.
        """
        content = None if body is None else json.dumps(body)
        backoff = Backoff()
        while True:
            try:
                return await self._once(method, path, params=query, content=content, headers={"Content-Type": kind})
            except Away as away:
                if not self._met or (method == "POST" and not isinstance(away.__cause__, httpx2.ConnectError)):
                    raise
                await backoff.pause(away)

    async def _once(self, method: str, path: str, **how: Any) -> Object:
        try:
            response = await self._http.request(method, path, **how)
        except NOT_REACHED as error:
            raise _unreachable(self._http, error) from error
        if response.is_error:
            raise _refused(response)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ClusterError(f"{response.request.url} answers no Kubernetes object; is it a Kubernetes API?")
        self._met = True
        return answer

    async def get(self, path: str, **query: str) -> Object:
        return await self.request("GET", path, **query)

    async def create(self, namespace: str, obj: Object) -> Object:
        """Create an object of any kind in a namespace, as it is. Unknown fields are refused, not dropped."""
        path = await self.path(obj["apiVersion"], obj["kind"], namespace)
        return await self.request("POST", path, obj, fieldValidation="Strict")

    async def path(self, version: str, kind: str, namespace: str) -> str:
        """Where objects of a kind live. Raises ClusterError where the cluster doesn't know the kind."""
        resource = await self._resource(version, kind)
        if resource is None:
            raise ClusterError(f"this cluster knows no {kind} of {version}; install what serves it first")
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{_prefix(version)}{place}/{resource['name']}"

    async def knows(self, obj: Object) -> bool:
        """Whether the cluster has objects of this one's kind."""
        return await self._resource(obj["apiVersion"], obj["kind"]) is not None

    async def _resource(self, version: str, kind: str) -> Object | None:
        """What discovery says of a kind."""
        if version not in self._resources:
            try:
                resources = (await self.get(_prefix(version)))["resources"]
            except ApiError as error:
                if error.response.status_code != 404:
                    raise
                resources = []
            self._resources[version] = {r["kind"]: r for r in resources if "/" not in r["name"]}
        return self._resources[version].get(kind)

    @asynccontextmanager
    async def _stream(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of an endless answer as they come. Raises as `request` does, Away where the API is away."""
        try:
            async with self._http.stream("GET", path, params=query, timeout=None) as response:
                if response.is_error:
                    await response.aread()
                    raise _refused(response)
                yield response.aiter_lines()
        except NOT_REACHED as error:
            raise _unreachable(self._http, error) from error

    async def log(self, path: str, **query: str) -> AsyncIterator[str]:
        """The lines of a log that is followed to its end; from where it broke off where the API is away meanwhile."""
        backoff, seen = Backoff(), 0
        while True:
            try:
                async with self._stream(path, follow="true", **query) as lines:
                    backoff.answered()
                    number = 0
                    async for line in lines:
                        number += 1
                        if number > seen:
                            seen = number
                            yield line
                    return
            except Away as error:
                await backoff.pause(error)

    async def watch(self, path: str, **query: str) -> AsyncIterator[dict[str, Object]]:
        """The objects by name: as they are now, then again after each change. Lists anew whenever the watch ends.

        That is at once where it was a good one, or where the API has forgotten what happened since (410 Gone).
        """
        backoff, forgotten = Backoff(), False
        while True:
            listed = await self.get(path, **query)
            objects = {obj["metadata"]["name"]: obj for obj in listed["items"]}
            yield objects
            version, began, away, status = listed["metadata"]["resourceVersion"], monotonic(), None, {}
            try:
                async with self._stream(path, watch="true", resourceVersion=version, **query) as lines:
                    backoff.answered()
                    async for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            status = event["object"]
                            break
                        name = event["object"]["metadata"]["name"]
                        objects.pop(name, None)
                        if event["type"] != "DELETED":
                            objects[name] = event["object"]
                        yield objects
            except Away as error:
                away = error
            except ApiError as error:
                status = {"code": error.response.status_code}
                if status["code"] != 410 and not error.response.is_server_error:
                    raise
            except ValueError:
                away = Away(f"{path} broke off in the midst of an event")
            gone = status.get("code") == 410
            if (status or away or monotonic() < began + SHORT) and (forgotten or not gone):
                await backoff.pause(away)
            forgotten = gone


def _prefix(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _refused(response: httpx2.Response) -> Exception:
    """ApiError where it is the API that answers; what nobody can be measured without is a ClusterError."""
    code, url = response.status_code, response.request.url
    if code in AWAY:
        return Away(f"{url} answers {code} {response.reason_phrase}; is the cluster well?")
    try:
        error = ApiError(request=response.request, response=response)
    except (ValueError, AttributeError):  # not a Status: a proxy in between, or no Kubernetes
        return ClusterError(f"{url} answers {code} and no Kubernetes status; is it a Kubernetes API?")
    if code == 401:
        remedy = "log in again, or mend the user of the kubeconfig's current context"
        where = f"{url.scheme}://{url.netloc.decode()}"
        return ClusterError(f"{where} doesn't know you: {error.status.message or 'Unauthorized'}; {remedy}")
    return error


def _unreachable(http: httpx2.AsyncClient, error: Exception) -> Away:
    reason = " ".join(str(error).split()) or type(error).__name__
    remedy = "is KUBECONFIG right?"
    if getproxies_environment().keys() & {"https", "http", "all"}:
        remedy += " Proxies are taken from its clusters' proxy-url, not from the environment"
    return Away(f"no cluster answers at {http.base_url}: {reason}; {remedy}")


class Backoff:
    """Pauses before the API is asked again, and for how long it may be away."""

    def __init__(self) -> None:
        self._pauses = Pauses(monotonic)
        self._away: float | None = None  # since when

    def answered(self) -> None:
        """The API is not away, or no longer."""
        self._away = None

    async def pause(self, error: Exception | None = None) -> None:
        """Wait. `error` says that the API is away, and is raised where it has been for too long."""
        if error:
            self._away = self._away or monotonic()
            if monotonic() > self._away + BEARABLE:
                raise error
        await sleep(self._pauses.pause())
