"""What a look-aside balancer costs: the time until 1,000 clients know, CPU, memory; and latency over direct channels.

One run, `python -m benchmarks.grpclb`. The balancer is the process that is deployed; it watches an API that is served
here, of which each update changes one endpoint. Its clients are streams of gRPC's own, in a process of their own. The
times are from just before the API sends an event until a client's Python has the message, as bytes: they include what
the clients cost, which all share one process here, and which wait for the same CPUs as the balancer.
"""

import asyncio
import itertools
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import grpc
from aiohttp import web

from benchmarks.usage import cpu, memory, open_files
from greeter_client.calls import Measurement
from greeter_client.result import beside, distribution
from grpclb.client import open_channel
from grpclb.load_balancer_pb2 import InitialLoadBalanceRequest, LoadBalanceRequest, LoadBalanceResponse
from grpclb.load_balancer_servicer import SERVICE
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import LISTENING, Process, process
from testing.services import Service, service

if TYPE_CHECKING:
    Opening = grpc.aio.StreamStreamMultiCallable[bytes, bytes]

UPDATES = 10
SLICE = 100  # endpoints, as the controller has it
SHARED = 20  # connections, where the streams share them
PAUSE = 0.05  # seconds between updates
IDLE = 50  # clients that never read
ROUNDS = 3
TRIALS, CALLS = 3, 5000
FLOOD = 40  # updates of 3 KB: more than a window of 64 KiB and a write buffer of as much hold
GO = "go-control-plane, 1,000 streams on such a machine: p99 190 ms, 0.13 s CPU per update"

KEY = 24  # bytes; the first server is the one that changes, and its address is among them
PATH = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class Api:
    """As much of the Kubernetes API as a balancer asks for: a Service's EndpointSlices, listed and watched."""

    def __init__(self, addresses: Sequence[str], port: int) -> None:
        self._slices = [list(addresses[start : start + SLICE]) for start in range(0, len(addresses), SLICE)]
        self._port = port
        self._version = 1
        self._watches: asyncio.Queue[web.StreamResponse] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            items = [self._slice(number) for number in range(len(self._slices))]
            return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        self._watches.put_nowait(response)
        await self._ended.wait()
        return response

    def end(self) -> None:
        """End all watches."""
        self._ended.set()

    async def watched(self) -> web.StreamResponse:
        """The next watch that begins."""
        return await self._watches.get()

    async def update(self, watch: web.StreamResponse) -> float:
        """Give the first endpoint another address, in an event of one slice. When that was, by time.monotonic()."""
        self._version += 1
        self._slices[0][0] = f"10.0.{self._version // 250}.{self._version % 250}"
        event = json.dumps({"type": "MODIFIED", "object": self._slice(0)}).encode()
        sent = time.monotonic()
        await watch.write(event + b"\n")
        return sent

    def _slice(self, number: int) -> dict[str, object]:
        labels = {"kubernetes.io/service-name": "greeter-server"}
        return {
            "metadata": {"name": f"greeter-server-{number}", "labels": labels, "resourceVersion": str(self._version)},
            "addressType": "IPv4",
            "ports": [{"name": "grpc", "port": self._port}],
            "endpoints": [{"addresses": [address]} for address in self._slices[number]],
        }


class Balancer:
    """`python -m grpclb.balancer`, fed by an API."""

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

    async def until_streams(self, count: int) -> None:
        async with asyncio.timeout(20):
            while await self.metric("grpclb_streams") != count:  # noqa: ASYNC110  it is another process
                await asyncio.sleep(0.05)


def addresses(count: int) -> list[str]:
    return [f"10.{1 + number // 250}.0.{number % 250}" for number in range(count)]


@asynccontextmanager
async def balancer(addresses: Sequence[str], port: int = 8000) -> AsyncIterator[Balancer]:
    """One that knows these endpoints."""
    api, app = Api(addresses, port), web.Application()
    app.router.add_get(PATH, api.answer)
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
    flags = ("--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", "--service=greeter-server")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as kubeconfig:
        json.dump(config, kubeconfig)
        kubeconfig.flush()
        with process("grpclb.balancer", *flags, env={"KUBECONFIG": kubeconfig.name}) as running:
            metrics = (await asyncio.to_thread(running.line, "Metrics on (.+)"))[1]
            address = (await asyncio.to_thread(running.line, LISTENING))[1]
            async with asyncio.timeout(20):
                watch = await api.watched()
            yield Balancer(api, watch, running, address, metrics)
    api.end()
    await runner.cleanup()


class Clients:
    """A process with so many streams that take what comes, over so many connections."""

    def __init__(self, running: BaseProcess, received: Connection) -> None:
        assert running.pid
        self.pid = running.pid
        self._received = received

    async def times(self) -> list[float]:
        """When each stream got what all have got next, by time.monotonic(), in order; first of all, when they began."""

        def receive() -> list[float]:
            assert self._received.poll(30), "some streams wait for a list"
            times: list[float] = self._received.recv()
            return times

        return await asyncio.to_thread(receive)


@contextmanager
def clients(address: str, streams: int, connections: int, reads: bool = True) -> Iterator[Clients]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    spawned = multiprocessing.get_context("spawn").Process(
        target=be_clients, args=(address, streams, connections, reads, sender), daemon=True
    )
    spawned.start()
    try:
        yield Clients(spawned, receiver)
    finally:
        spawned.kill()
        spawned.join()


def be_clients(address: str, streams: int, connections: int, reads: bool, sender: Connection) -> None:
    asyncio.run(open_streams(address, streams, connections, reads, sender))


async def open_streams(address: str, streams: int, connections: int, reads: bool, sender: Connection) -> None:
    arrived: dict[bytes, list[float]] = defaultdict(list)
    request = LoadBalanceRequest(initial_request=InitialLoadBalanceRequest(name="greeter-server")).SerializeToString()
    initial = LoadBalanceResponse.INITIAL_RESPONSE_FIELD_NUMBER << 3 | 2  # the tag

    async def stream(channel: grpc.aio.Channel) -> None:
        open_stream: Opening = channel.stream_stream(f"/{SERVICE}/BalanceLoad")
        call = open_stream()
        await call.write(request)
        if not reads:
            await call.wait_for_connection()
            await asyncio.Event().wait()
        async for response in call:
            now = time.monotonic()
            if response[0] == initial:
                continue
            times = arrived[response[:KEY]]
            times.append(now)
            if len(times) == streams:
                sender.send(times)

    began = time.monotonic()
    if reads:
        sender.send([began])
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(connections)]
    await asyncio.gather(*(stream(channels[number % connections]) for number in range(streams)))


class Updates:
    """What some updates cost, each of which all clients had before the next."""

    def __init__(self, after: list[list[float]], seconds: float, theirs: float) -> None:
        self.after = after  # seconds until each client had it, by update
        self.seconds = seconds  # of CPU, of the balancer, per update
        self.theirs = theirs  # the clients'

    def __str__(self) -> str:
        cuts = statistics.quantiles(itertools.chain(*self.after), n=100, method="inclusive")
        lasts = sorted(max(times) for times in self.after)
        return (
            f"p50 {1000 * cuts[49]:.0f}, p99 {1000 * cuts[98]:.0f}, last {1000 * statistics.median(lasts):.0f} ms "
            f"(worst {1000 * lasts[-1]:.0f}); CPU {self.seconds:.3f} s, and {self.theirs:.3f} s of the clients"
        )


async def update(running: Balancer, readers: Clients, count: int = UPDATES) -> Updates:
    after = []
    before, theirs = cpu(running.pid), cpu(readers.pid)
    for _ in range(count):
        await asyncio.sleep(PAUSE)
        sent = await running.update()
        after.append([time - sent for time in await readers.times()])
    await asyncio.sleep(PAUSE)
    return Updates(after, (cpu(running.pid) - before) / count, (cpu(readers.pid) - theirs) / count)


async def first_list(readers: Clients) -> float:
    """Seconds from the opening of the first connection until all have a list."""
    [began] = await readers.times()
    return (await readers.times())[-1] - began


async def measure(streams: int, connections: int, endpoints: int) -> None:
    async with balancer(addresses(endpoints)) as running:
        alone, encodings = memory(running.pid), await running.metric("grpclb_encodings_total")
        with clients(running.address, streams, connections) as readers:
            seconds = await first_list(readers)
            connected = memory(running.pid)
            each = 1024 * (connected - alone) / streams
            # Full collections of garbage come as objects do: one falls into the first update after so many joined.
            first = await update(running, readers, 1)
            updates = await update(running, readers)
            encodings = (await running.metric("grpclb_encodings_total") - encodings) / (1 + UPDATES)
            print(
                f"{streams} clients, {connections} connections, {endpoints} endpoints: {updates}\n"
                f"  all had a list {seconds:.2f} s after the first began; their first update: last "
                f"{1000 * max(first.after[0]):.0f} ms; {encodings:g} encodings per update\n"
                f"  {alone:.0f} MiB alone, {connected:.0f} with clients ({each:.0f} KiB each), "
                f"{memory(running.pid):.0f} after the updates",
                flush=True,
            )


async def measure_idle() -> None:
    async with balancer(addresses(100)) as running:
        with clients(running.address, 1000 - IDLE, 1000 - IDLE) as readers:
            await first_list(readers)
            await update(running, readers, 1)
            before = memory(running.pid)
            print(f"{1000 - IDLE} clients that read: {await update(running, readers)}")
            with clients(running.address, IDLE, IDLE, reads=False):
                await running.until_streams(1000)
                told = await running.metric("grpclb_lists_sent_total")
                print(f"  and {IDLE} that never do, {FLOOD} updates: {await update(running, readers, FLOOD)}")
                told = (await running.metric("grpclb_lists_sent_total") - told - FLOOD * (1000 - IDLE)) / IDLE
                print(f"  they took {told:.0f} lists each, then no more; the next updates: ", end="")
                print(await update(running, readers))
                print(f"  {before:.0f} MiB before they came, {memory(running.pid):.0f} after all", flush=True)


async def measure_leaving() -> None:
    async with balancer(addresses(100)) as running:
        said = [f"{memory(running.pid):.0f} MiB and {open_files(running.pid)} open files"]
        for _ in range(ROUNDS):
            with clients(running.address, 1000, 1000) as readers:
                await first_list(readers)
            await running.until_streams(0)
            said.append(f"{memory(running.pid):.0f} and {open_files(running.pid)}")
        print(f"1,000 clients connect and leave, {ROUNDS} times: {', '.join(said)}", flush=True)


async def measure_latency() -> None:
    with service(3) as behind:
        async with balancer(list(behind.servers), behind.port) as running:
            host, _, port = running.address.rpartition(":")
            behind.names.balancers = [(host, int(port))]
            behind.names.addresses = []  # so that it must have them from the balancer
            await asyncio.to_thread(compare_latency, behind)


def compare_latency(behind: Service) -> None:
    with ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(f"{host}:{behind.port}")) for host in behind.servers]
        stop = threading.Event()
        ours = Measurement([GreeterStub(stack.enter_context(open_channel(behind.target)))], "you", 5, stop)
        direct = Measurement([GreeterStub(channel) for channel in channels], "you", 5, stop)
        ours.warm_up(3, 20)
        for measurement in (ours, direct):
            measurement.count(500)
        print(f"{TRIALS} × {CALLS} calls to 3 servers that the balancer named")
        for _ in range(TRIALS):
            named, plain = ours.count_beside(direct, CALLS)
            assert all(call.code == "OK" for call in named + plain)
            ratio, ms = beside(named, plain)["ratio"], distribution(named) or []
            print(f"  p50 {ms[49]:.2f} ms, {ratio['p50']:.2f} × direct; p99 {ms[98]:.2f} ms, {ratio['p99']:.2f} ×")


async def run() -> None:
    print(GO)
    await measure(1000, SHARED, 100)
    for streams, endpoints in itertools.product((1000, 100), (10, 100, 1000)):
        await measure(streams, streams, endpoints)
    await measure_idle()
    await measure_leaving()
    await measure_latency()


def main() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
