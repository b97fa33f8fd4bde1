"""What updates cost a process that tells its clients of them: the time until all have one, CPU and memory.

The times are from just before the API sends an event until a client's Python has what it is told, and has answered
where the protocol has answers: they include what the clients cost, which all share one process here, and which wait for
the same CPUs as the process that tells them.
"""

import asyncio
import itertools
import statistics
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.clients import Clients, Stream, clients
from benchmarks.kubernetes_api import Told, addresses, told
from benchmarks.usage import cpu, memory, open_files

UPDATES = 10
SHARED = 20  # connections, where the streams share them
PAUSE = 0.05  # seconds between updates
IDLE = 50  # clients that never read
ROUNDS = 3
FLOOD = 40  # updates of 3 KB: more than a window of 64 KiB and a write buffer of as much hold


class Teller(Protocol):
    """A process that tells clients at its address of each update."""

    pid: int
    address: str

    async def update(self) -> float:
        """Tell of the next one; when that was, by time.monotonic()."""


Start = Callable[[int], AbstractAsyncContextManager[Teller]]  # one that knows so many endpoints


@dataclass(frozen=True)
class Subject:
    """`python -m MODULE`, and what one of its clients does. The rest are names of its metrics."""

    module: str
    stream: Stream
    streams: str  # that are open
    encodings: str
    sent: str  # of what each client gets one of per update
    age: str  # from hearing of an update until the last client has it

    def told(self, endpoints: int) -> AbstractAsyncContextManager[Told]:
        return told(self.module, addresses(endpoints))


class Updates:
    """What some updates cost, each of which all clients had before the next."""

    def __init__(self, after: list[list[float]], seconds: float, theirs: float) -> None:
        self.after = after  # seconds until each client had it, by update
        self.seconds = seconds  # of CPU, of the process that tells, per update
        self.theirs = theirs  # the clients'

    @property
    def last(self) -> float:
        """Milliseconds until the last client had the slowest of them."""
        return 1000 * max(map(max, self.after))

    def __str__(self) -> str:
        cuts = statistics.quantiles(itertools.chain(*self.after), n=100, method="inclusive")
        last = 1000 * statistics.median(map(max, self.after))
        return (
            f"p50 {1000 * cuts[49]:.0f}, p99 {1000 * cuts[98]:.0f}, last {last:.0f} ms (worst {self.last:.0f}); "
            f"CPU {self.seconds:.3f} s, and {self.theirs:.3f} s of the clients"
        )


async def update(running: Teller, readers: Clients, count: int = UPDATES) -> Updates:
    after = []
    before, theirs = cpu(running.pid), cpu(readers.pid)
    for _ in range(count):
        await asyncio.sleep(PAUSE)
        sent = await running.update()
        after.append([time - sent for time in await readers.times()])
    await asyncio.sleep(PAUSE)
    return Updates(after, (cpu(running.pid) - before) / count, (cpu(readers.pid) - theirs) / count)


async def first(readers: Clients) -> float:
    """Seconds from the opening of the first connection until all have what there is."""
    [began] = await readers.times()
    return (await readers.times())[-1] - began


async def measure(running: Teller, stream: Stream, streams: int, connections: int) -> None:
    """What `1 + UPDATES` updates cost."""
    alone = memory(running.pid)
    with clients(stream, running.address, streams, connections) as readers:
        seconds = await first(readers)
        connected = memory(running.pid)
        each = 1024 * (connected - alone) / streams
        # Full collections of garbage come as objects do: one falls into the first update after so many joined.
        slow = await update(running, readers, 1)
        updates = await update(running, readers)
        print(
            f"{streams} clients, {connections} connections: {updates}\n"
            f"  all had what there is {seconds:.2f} s after the first began; their first update: last "
            f"{slow.last:.0f} ms\n"
            f"  {alone:.0f} MiB alone, {connected:.0f} with clients ({each:.0f} KiB each), "
            f"{memory(running.pid):.0f} after the updates",
            flush=True,
        )


async def measure_growth(stream: Stream, tellers: Mapping[str, Start]) -> None:
    """From clients that share connections to such as do not; from few endpoints to many; each of them in turn."""
    every = [(1000, SHARED, 100)]
    every += [(streams, streams, endpoints) for streams in (1000, 100) for endpoints in (10, 100, 1000)]
    for streams, connections, endpoints in every:
        for name, start in tellers.items():
            async with start(endpoints) as running:
                print(f"{name}, {endpoints} endpoints: ", end="")
                await measure(running, stream, streams, connections)


async def measure_idle(subject: Subject) -> None:
    """Clients that never read, beside such as do."""
    async with subject.told(100) as running:
        with clients(subject.stream, running.address, 1000 - IDLE, 1000 - IDLE) as readers:
            await first(readers)
            await update(running, readers, 1)
            before = memory(running.pid)
            encodings, age = await running.metric(subject.encodings), await running.metric(f"{subject.age}_sum")
            print(f"{1000 - IDLE} clients that read: {await update(running, readers)}")
            encodings = (await running.metric(subject.encodings) - encodings) / UPDATES
            age = (await running.metric(f"{subject.age}_sum") - age) / UPDATES
            print(
                f"  {encodings:g} encodings per update; by its own metric all had it {1000 * age:.0f} ms after it "
                "had heard of it"
            )
            with clients(subject.stream, running.address, IDLE, IDLE, reads=False):
                await running.until(subject.streams, 1000)
                sent = await running.metric(subject.sent)
                print(f"  and {IDLE} that never do, {FLOOD} updates: {await update(running, readers, FLOOD)}")
                each = (await running.metric(subject.sent) - sent - FLOOD * (1000 - IDLE)) / IDLE
                print(f"  they took {each:.0f} updates each, then no more; the next: {await update(running, readers)}")
                print(f"  {before:.0f} MiB before they came, {memory(running.pid):.0f} after all", flush=True)


async def measure_leaving(subject: Subject) -> None:
    async with subject.told(100) as running:
        said = [f"{memory(running.pid):.0f} MiB and {open_files(running.pid)} open files"]
        for _ in range(ROUNDS):
            with clients(subject.stream, running.address, 1000, 1000) as readers:
                await first(readers)
            await running.until(subject.streams, 0)
            said.append(f"{memory(running.pid):.0f} and {open_files(running.pid)}")
        print(f"1,000 clients connect and leave, {ROUNDS} times: {', '.join(said)}", flush=True)
