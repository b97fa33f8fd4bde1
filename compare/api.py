"""The Kubernetes API in JSON, as on the wire, so that what is sent is what lies in a manifest, field by field.

lightkube contributes the connection (kubeconfig, CA, token) and the API's errors.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from lightkube import ApiError, KubeConfig
from lightkube.config import client_adapter
from lightkube.core.exceptions import ConfigError
from yaml import YAMLError

from compare.errors import ClusterError

Object = dict[str, Any]

TIMEOUT = httpx2.Timeout(30)  # seconds that one answer may take
MERGE = "application/merge-patch+json"


class Api:
    """A connection to a cluster. Paths are those of the API: /api/v1/namespaces/shop/pods."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._resources: dict[str, dict[str, Object]] = {}  # by apiVersion and kind

    async def request(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: str
    ) -> Object:
        """Raises lightkube's ApiError where the API refuses, ClusterError where it can't be reached."""
        content = None if body is None else json.dumps(body)
        try:
            response = await self._http.request(
                method, path, params=query, content=content, headers={"Content-Type": kind}
            )
        except httpx2.HTTPError as error:
            raise _unreachable(self._http, error) from error
        if response.is_error:
            raise _refused(response)
        answer: Object = response.json()
        return answer

    async def get(self, path: str, **query: str) -> Object:
        return await self.request("GET", path, **query)

    async def create(self, namespace: str, obj: Object) -> Object:
        """Create an object of any kind in a namespace, as it is. Unknown fields are refused, not dropped."""
        path = await self.path(obj["apiVersion"], obj["kind"], namespace)
        return await self.request("POST", path, obj, fieldValidation="Strict")

    async def path(self, version: str, kind: str, namespace: str) -> str:
        """Where objects of a kind live. Raises ClusterError where the cluster doesn't know the kind."""
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            try:
                resources = (await self.get(prefix))["resources"]
            except ApiError as error:
                if error.response.status_code != 404:
                    raise
                resources = []
            self._resources[version] = {r["kind"]: r for r in resources if "/" not in r["name"]}
        if kind not in self._resources[version]:
            raise ClusterError(f"this cluster knows no {kind} of {version}; install what serves it first")
        resource = self._resources[version][kind]
        place = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{prefix}{place}/{resource['name']}"

    @asynccontextmanager
    async def stream(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of an endless answer, a watch or a followed log, as they come. Raises as `request` does."""
        try:
            async with self._http.stream("GET", path, params=query, timeout=None) as response:
                if response.is_error:
                    await response.aread()
                    raise _refused(response)
                yield response.aiter_lines()
        except httpx2.HTTPStatusError:
            raise
        except httpx2.HTTPError as error:
            raise _unreachable(self._http, error) from error

    async def watch(self, path: str, **query: str) -> AsyncIterator[dict[str, Object]]:
        """The objects by name: as they are now, then again after each change. The API ends watches: begins anew."""
        while True:
            listed = await self.get(path, **query)
            objects = {obj["metadata"]["name"]: obj for obj in listed["items"]}
            yield objects
            version = listed["metadata"]["resourceVersion"]
            async with self.stream(path, watch="true", resourceVersion=version, **query) as lines:
                async for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break  # 410 Gone: what happened since is forgotten
                    name = event["object"]["metadata"]["name"]
                    objects.pop(name, None)
                    if event["type"] != "DELETED":
                        objects[name] = event["object"]
                    yield objects


@asynccontextmanager
async def connect() -> AsyncIterator[Api]:
    """Connect to the cluster that KUBECONFIG names, or ~/.kube/config. Raises ClusterError where none answers."""
    try:
        config = KubeConfig.from_env().get()
        if config is None:
            raise ClusterError("the kubeconfig has no current context; choose one: kubectl config use-context NAME")
        parameters = client_adapter.ConnectionParams(TIMEOUT, trust_env=False)
        client = await asyncio.to_thread(client_adapter.AsyncClient, config, parameters)  # it reads files
    except KeyError as error:
        raise ClusterError(f"no cluster: the kubeconfig has no {error}; set KUBECONFIG, or try `make lab`") from error
    except (ConfigError, YAMLError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"no cluster: {reason}; set KUBECONFIG, or try `make lab`") from error
    async with client as http:
        yield Api(http)


def _refused(response: httpx2.Response) -> ApiError:
    try:
        return ApiError(request=response.request, response=response)
    except ValueError:  # not a Status: a proxy in between, or no Kubernetes
        code, server = response.status_code, response.request.url
        raise ClusterError(f"{server} answers {code} and no Kubernetes status; is it a Kubernetes API?") from None


def _unreachable(http: httpx2.AsyncClient, error: httpx2.HTTPError) -> ClusterError:
    return ClusterError(f"no cluster answers at {http.base_url}: {error or type(error).__name__}; is KUBECONFIG right?")
