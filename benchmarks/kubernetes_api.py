"""A process that is told of endpoints by a Kubernetes API, which is served here; each update changes one endpoint."""

import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from testing.processes import LISTENING, Process, process

SERVICE = "greeter-server"
SLICE = 100  # endpoints, as the controller has it
SLICES = "endpointslices"  # the end of their path


class Api:
    """As much of the Kubernetes API as is asked for: one Service's EndpointSlices, listed and watched, and nothing
    of any other kind.
    """

    def __init__(self, addresses: Sequence[str], port: int) -> None:
        self._slices = [list(addresses[start : start + SLICE]) for start in range(0, len(addresses), SLICE)]
        self._port = port
        self._version = 1
        self._watches: asyncio.Queue[web.StreamResponse] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked_for_slices = request.path.endswith(SLICES)
        if "watch" not in request.query:
            items = [self._slice(number) for number in range(len(self._slices))] if asked_for_slices else []
            return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        if asked_for_slices:
            self._watches.put_nowait(response)
        await self._ended.wait()
        return response

    def end(self) -> None:
        """End all watches."""
        self._ended.set()

    async def watched(self) -> web.StreamResponse:
        """The next watch of EndpointSlices that begins."""
        return await self._watches.get()

    async def update(self, watch: web.StreamResponse) -> float:
        """Give the first endpoint another address, in an event of one slice. When that was, by time.monotonic()."""
        self._version += 1
        self._slices[0][0] = another(self._version)
        event = json.dumps({"type": "MODIFIED", "object": self._slice(0)}).encode()
        sent = time.monotonic()
        await watch.write(event + b"\n")
        return sent

    def _slice(self, number: int) -> dict[str, object]:
        labels = {"kubernetes.io/service-name": SERVICE}
        return {
            "metadata": {"name": f"{SERVICE}-{number}", "labels": labels, "resourceVersion": str(self._version)},
            "addressType": "IPv4",
            "ports": [{"name": "grpc", "port": self._port}],
            "endpoints": [{"addresses": [address]} for address in self._slices[number]],
        }


class Told:
    """A process that is told by an API, and tells clients at its address."""

    def __init__(self, api: Api, watch: web.StreamResponse, running: Process, address: str, metrics: str) -> None:
        self._api = api
        self._watch = watch
        self._metrics = metrics
        self.pid = running.pid
        self.address = address

    async def update(self) -> float:
        return await self._api.update(self._watch)

    async def metric(self, name: str) -> float:
        def read() -> bytes:
            with urllib.request.urlopen(self._metrics) as answer:  # noqa: S310  ours
                body: bytes = answer.read()
                return body

        lines = (await asyncio.to_thread(read)).decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " "))

    async def until(self, name: str, value: float) -> None:
        """Wait until a metric has this value."""
        async with asyncio.timeout(20):
            while await self.metric(name) != value:  # noqa: ASYNC110  it is another process
                await asyncio.sleep(0.05)


def addresses(count: int) -> list[str]:
    return [f"10.{1 + number // 250}.0.{number % 250}" for number in range(count)]


def another(version: int) -> str:
    """An address that is none of those."""
    return f"10.0.{version // 250}.{version % 250}"


@asynccontextmanager
async def told(module: str, addresses: Sequence[str], *flags: str, port: int = 8000) -> AsyncIterator[Told]:
    """`python -m MODULE`, when it knows these endpoints."""
    api, app = Api(addresses, port), web.Application()
    app.router.add_get("/{path:.*}", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    at = "{}:{}".format(*runner.addresses[0])
    config = {
        "clusters": [{"name": "here", "cluster": {"server": f"http://{at}"}}],
        "users": [{"name": "me", "user": {"token": "none"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "default"}}],
        "current-context": "here",
    }
    own = ("--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", f"--service={SERVICE}")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as kubeconfig:
        json.dump(config, kubeconfig)
        kubeconfig.flush()
        with process(module, *own, *flags, env={"KUBECONFIG": kubeconfig.name}) as running:
            metrics = (await asyncio.to_thread(running.line, "Metrics on (.+)"))[1]
            address = (await asyncio.to_thread(running.line, LISTENING))[1]
            async with asyncio.timeout(20):
                watch = await api.watched()
            yield Told(api, watch, running, address, metrics)
    api.end()
    await runner.cleanup()
