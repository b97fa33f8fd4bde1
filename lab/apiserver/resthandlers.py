"""Requests for objects: which verb each is, and its answer.

Stands for k8s.io/apiserver/pkg/endpoints/request, handlers and installer.go.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from lab.apimachinery.errors import BadRequest, MethodNotAllowed
from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.schemas import schema_of
from lab.apimachinery.store import Object, Store
from lab.apiserver import portforward, remote_command, watches
from lab.apiserver.remote_command import Kubelet
from lab.apiserver.representation import Representation
from lab.apiserver.responses import answer, body, line, stream, success
from lab.apiserver.scale import SCALE, scale_of, update_scale
from lab.kubelet import podlogs
from lab.network import Network
from lab.objects.options import DeleteOptions, ListOptions, WriteOptions, as_bool
from lab.objects.patches import check_type, patched
from lab.objects.registry import Registry

RETURNED = ("pods", "services", "serviceaccounts")  # a DELETE of these answers with the object
ATTACHING = ("kubectl debug", "kubectl run")
UNSUPPORTED = {
    "ephemeralcontainers": "run what you need on this machine, which shares the pod's processes and network",
    "eviction": "kubectl delete pod does the same, for no disruption budget is asked",
    "proxy": "connect to the address of the pod or Service, which this machine reaches",
    "resize": "it sets no limits; a change of spec.containers[*].resources is stored with the object",
    "token": "pods and clients use the token of the lab's one user, which is in the kubeconfig",
}


@dataclass(frozen=True)
class RequestInfo:
    """A resource, and where the path goes further: a namespace, an object, a subresource."""

    resource: Resource
    namespace: str  # "" for all namespaces, and for what is in none
    name: str
    subresource: str


def _parse(path: str) -> RequestInfo | None:
    """Reads a path as it goes over the wire, escaped. None for one that names no resource of the lab."""
    match [unquote(part) for part in path.strip("/").split("/")]:
        case ["api", "v1", *rest]:
            group_version = "v1"
        case ["apis", group, version, *rest]:
            group_version = f"{group}/{version}"
        case _:
            return None
    namespace = ""
    # A namespace is a path's beginning, and itself an object with subresources.
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    resource = RESOURCES.get(plural)
    if resource is None or resource.group_version != group_version:
        return None
    if (name or namespace) and resource.namespaced != bool(namespace):
        return None
    return RequestInfo(resource, namespace, name, subresource)


class Handlers:
    """What is done for each verb."""

    def __init__(self, store: Store, network: Network, state: Path, kubelet: Kubelet) -> None:
        self._store, self._state, self._kubelet = store, state, kubelet
        self._registry = Registry(store, network)

    async def handle(self, request: web.Request) -> web.StreamResponse | None:
        """The answer, or None where the path names no resource. Raises errors.StatusError."""
        info = _parse(request.rel_url.raw_path)
        if info is None:
            return None
        match request.method, bool(info.name), info.subresource:
            case "GET", False, "":
                return await self._list(request, info)
            case "POST", False, "" if info.namespace or not info.resource.namespaced:
                return await self._create(request, info)
            case "DELETE", False, "" if info.namespace:
                return await self._delete_collection(request, info)
            case "GET", True, "":
                found = self._store.get(info.resource.plural, info.namespace, info.name)
                return answer(_representation(request).one(info.resource, found))
            case "PUT", True, "":
                return await self._update(request, info)
            case "PATCH", True, "":
                return await self._patch(request, info)
            case "DELETE", True, "":
                return await self._delete(request, info)
            case "GET" | "PUT" | "PATCH", True, "status" if info.resource.status:
                return await self._status(request, info)
            case "GET" | "PUT" | "PATCH", True, "scale" if info.resource.scale:
                return await self._scale(request, info)
            case "GET", True, "log" if info.resource.plural == "pods":
                return await self._log(request, info)
            case "GET" | "POST", True, "exec" | "attach" as subresource if info.resource.plural == "pods":
                pod = self._store.get("pods", info.namespace, info.name)
                return await remote_command.serve(request, self._kubelet, pod, subresource)
            case "GET" | "POST", True, "portforward" if info.resource.plural == "pods":
                pod = self._store.get("pods", info.namespace, info.name)
                return await portforward.serve(request, self._store, pod)
            case _, True, subresource if subresource in UNSUPPORTED:
                remedy = UNSUPPORTED[subresource]
                raise BadRequest(f"the lab has no {info.resource.plural}/{subresource}: {remedy}")
            case _, True, subresource if subresource and subresource not in ("status", "scale", "log"):
                return None
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    async def _list(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        options = ListOptions.read(request.query, info.resource)
        representation = _representation(request)
        namespace = info.namespace or None
        if as_bool(request.query, "watch"):
            events = watches.watch(self._store, info.resource, namespace, options, representation)
            return await stream(request, "application/json", _lines(events))
        found = [obj for obj in self._store.list(info.resource.plural, namespace) if options.selects(obj)]
        meta: Object = {"resourceVersion": str(self._store.version)}
        return answer(representation.many(info.resource, found, meta))

    async def _create(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        options = WriteOptions.read(request.query)
        representation, value = _representation(request), await body(request)
        created, warnings = self._registry.create(info.resource, info.namespace, value, options)
        return answer(representation.one(info.resource, created), 201, warnings)

    async def _update(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        options = WriteOptions.read(request.query)
        representation, value = _representation(request), await body(request)
        updated, warnings = self._registry.update(info.resource, info.namespace, info.name, value, options)
        return answer(representation.one(info.resource, updated), 200, warnings)

    async def _patch(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        check_type(request.content_type)
        options = WriteOptions.read(request.query)
        representation, value = _representation(request), await body(request)
        where = (info.resource, info.namespace, info.name)
        obj, warnings = self._registry.patch(*where, request.content_type, value, options)
        return answer(representation.one(info.resource, obj), 200, warnings)

    async def _delete(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        options = DeleteOptions.read(request.query, await body(request) if request.can_read_body else {})
        return self._deleted(info, options, _representation(request))

    def _deleted(self, info: RequestInfo, options: DeleteOptions, representation: Representation) -> web.Response:
        obj, gone = self._registry.delete(info.resource, info.namespace, info.name, options)
        if gone and info.resource.plural not in RETURNED:
            return success(info.resource, obj)
        return answer(representation.one(info.resource, obj))

    async def _delete_collection(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        options = DeleteOptions.read(request.query, await body(request) if request.can_read_body else {})
        which = ListOptions.read(request.query, info.resource)
        deleted = self._registry.delete_collection(info.resource, info.namespace, which, options)
        meta = {"resourceVersion": str(self._store.version)}
        return answer(_representation(request).many(info.resource, deleted, meta))

    async def _status(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        resource, representation = info.resource, _representation(request)
        obj, warnings = self._store.get(resource.plural, info.namespace, info.name), list[str]()
        if request.method != "GET":
            options, value = WriteOptions.read(request.query), await body(request)
            if request.method == "PATCH":
                value = patched(request.content_type, obj, value, schema_of(resource))
            obj, warnings = self._registry.update_status(resource, info.namespace, info.name, value, options)
        return answer(representation.one(resource, obj), 200, warnings)

    async def _scale(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        obj = self._store.get(info.resource.plural, info.namespace, info.name)
        if request.method == "GET":
            return answer(scale_of(obj))
        options, value = WriteOptions.read(request.query), await body(request)
        if request.method == "PATCH":
            value = patched(request.content_type, scale_of(obj), value, schema_of(SCALE))
        store = self._store.fork() if options.dry_run else self._store
        return answer(update_scale(store, info.resource, obj, value))

    async def _log(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        # `kubectl run` asks for the log when it couldn't attach, and takes what it gets for all of the output.
        follow = {"follow": "true"} if request.headers.get("Kubectl-Command") in ATTACHING else {}
        options = podlogs.LogOptions.read(dict(request.query) | follow)
        log = podlogs.find(self._store, self._state, info.namespace, info.name, options)
        return await stream(request, "text/plain", log.read(options))


async def _lines(events: AsyncGenerator[Object, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield line(event)


def _representation(request: web.Request) -> Representation:
    return Representation.negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", ""))
