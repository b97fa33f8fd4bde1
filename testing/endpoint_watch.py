"""A Kubernetes API over real HTTP: the objects of one kind in one namespace, and faults that a test asks for."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from endpoint_watch.endpoints import SERVICE_NAME, Object

CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"
PATH = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
DEADLINE = 20.0  # seconds
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def slice_of(name: str, service: str, *addresses: str) -> Object:
    """With one ready endpoint for each address, on port 8000, named grpc."""
    return {
        "metadata": {"name": name, "labels": {SERVICE_NAME: service}},
        "addressType": "IPv4",
        "ports": [{"name": "grpc", "port": 8000}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def error(code: int, reason: str = "") -> Object:
    """An ERROR event."""
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": reason, "message": "so it is"}}


def bookmark(version: str) -> Object:
    return {"type": "BOOKMARK", "object": {"kind": "EndpointSlice", "metadata": {"resourceVersion": version}}}


def status(code: int, message: str = "so it is") -> Answer:
    """Answers with this HTTP status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)

    return answer


def stream(*parts: Object | str, after: float = 0.0, lasting: float = 0.0, cut: bool = False) -> Answer:
    """Answers with these parts, an object as a line, and ends; `after` and `lasting` are seconds before and after.

    `cut` ends it by dropping the connection.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(after)
        for part in parts:
            await response.write((part if isinstance(part, str) else json.dumps(part) + "\n").encode())
            await asyncio.sleep(0)
        await asyncio.sleep(lasting)
        if cut and request.transport:
            request.transport.abort()
        return response

    return answer


silence = stream(lasting=60)


class FakeApi:
    """Of the collection at this path, and of others beside it, each with faults of its own."""

    def __init__(self, path: str = PATH, *beside: "FakeApi") -> None:
        self._path = path
        self._beside = beside
        self.asked: list[dict[str, str]] = []  # the queries, in their order
        self.watching = 0  # requests that are being answered with a stream
        self.next: list[Answer | None] = []  # how the next requests are answered; None as they should be
        self._slices: dict[str, Object] = {}
        self._version = 10
        self._forgotten = 0  # no watch goes on from before it
        self._history: list[tuple[int, Object | None, Object | None]] = []  # version, before, after
        self._news = asyncio.Event()
        self._drops = 0
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def version(self) -> str:
        return str(self._version)

    @property
    def connections(self) -> int:
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    @property
    def verbs(self) -> list[str]:
        return ["watch" if "watch" in query else "list" for query in self.asked]

    async def start(self) -> None:
        """Serve; on the same port as before, if it has."""
        app = web.Application()
        for each in (self, *self._beside):
            app.router.add_get(each._path, each._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections, and drop those there are."""
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    def put(self, slice_: Object) -> None:
        self._change(slice_["metadata"]["name"], slice_)

    def delete(self, name: str) -> None:
        self._change(name, None)

    def drop(self) -> None:
        """End all watches there are."""
        self._drops += 1
        self._tell()

    def forget(self) -> None:
        """Have watches begin at the present or not at all."""
        self._forgotten = self._version
        self._history = []

    def _change(self, name: str, after: Object | None) -> None:
        before = self._slices.pop(name, None)
        self._version += 1
        if after:
            after = after | {"metadata": after["metadata"] | {"resourceVersion": self.version}}
            self._slices[name] = after
        self._history.append((self._version, before, after))
        self._tell()

    def _tell(self) -> None:
        """Wake all watches."""
        self._news.set()
        self._news = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        answer = self.next.pop(0) if self.next else None
        watching = "watch" in request.query
        self.watching += watching
        try:
            return await (answer or (self._watch if watching else self._list))(request)
        finally:
            self.watching -= watching

    async def _list(self, request: web.Request) -> web.StreamResponse:
        items = [slice_ for slice_ in self._slices.values() if selects(request, slice_)]
        return web.json_response({"metadata": {"resourceVersion": self.version}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._forgotten:
            return await status(410, "too old")(request)
        response = web.StreamResponse()
        await response.prepare(request)
        drops = self._drops
        while drops == self._drops:
            news = self._news
            for version, before, after in list(self._history):
                if version > seen and (event := translated(request, version, before, after)):
                    await response.write(json.dumps(event).encode() + b"\n")
            seen = self._version
            await news.wait()
        return response


def selects(request: web.Request, slice_: Object) -> bool:
    """Whether the request's selector does: the object of a name, or the slices of all Services, or of some."""
    if name := request.query.get("fieldSelector", "").removeprefix("metadata.name="):
        return bool(slice_["metadata"]["name"] == name)
    _, among, names = request.query["labelSelector"].partition(f"{SERVICE_NAME} in ")
    return not among or slice_["metadata"]["labels"][SERVICE_NAME] in names.strip("()").split(",")


def translated(request: web.Request, version: int, before: Object | None, after: Object | None) -> Object | None:
    """The event that a watch hears of a change: what leaves its labels is deleted for it, and as it was before."""
    if after and selects(request, after):
        return {"type": "MODIFIED" if before and selects(request, before) else "ADDED", "object": after}
    if before and selects(request, before):
        metadata = before["metadata"] | {"resourceVersion": str(version)}
        return {"type": "DELETED", "object": before | {"metadata": metadata}}
    return None


@asynccontextmanager
async def serving(*beside: FakeApi) -> AsyncIterator[FakeApi]:
    api = FakeApi(PATH, *beside)
    await api.start()
    try:
        yield api
    finally:
        await api.stop()


def kubeconfig(server: str, **cluster: Any) -> Object:
    """Its context's namespace is `shop`. Without a CA it need not read the machine's, which takes a while."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": not cluster, **cluster}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "here",
    }


async def until(what: str, check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE:g} s"
        await asyncio.sleep(0.005)
