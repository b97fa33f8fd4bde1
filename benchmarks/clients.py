"""A process with many streams of gRPC's own, over so many connections: when each of them has what all are told."""

import asyncio
import multiprocessing
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NoReturn

import grpc

# What one stream does over its channel. It calls `has` with a key, which is the same for all, when it has something
# that is told to all. Where it `reads` nothing, it asks for that and waits.
Stream = Callable[[grpc.aio.Channel, Callable[[object], None], bool], Coroutine[None, None, None]]


class Clients:
    """One that runs."""

    def __init__(self, running: BaseProcess, received: Connection) -> None:
        assert running.pid
        self.pid = running.pid
        self._received = received

    async def times(self) -> list[float]:
        """When each stream got what all have got next, by time.monotonic(), in order; first of all, when they began."""

        def receive() -> list[float]:
            assert self._received.poll(30), "some streams wait for what others have"
            times: list[float] = self._received.recv()
            return times

        return await asyncio.to_thread(receive)


@contextmanager
def clients(stream: Stream, address: str, streams: int, connections: int, reads: bool = True) -> Iterator[Clients]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    spawned = multiprocessing.get_context("spawn").Process(
        target=_be_clients, args=(stream, address, streams, connections, reads, sender), daemon=True
    )
    spawned.start()
    try:
        yield Clients(spawned, receiver)
    finally:
        spawned.kill()
        spawned.join()


def _be_clients(stream: Stream, *args: object) -> None:
    asyncio.run(_open(stream, *args))  # type: ignore[arg-type]


async def _open(stream: Stream, address: str, streams: int, connections: int, reads: bool, sender: Connection) -> None:
    arrived: dict[object, list[float]] = defaultdict(list)

    def has(key: object) -> None:
        times = arrived[key]
        times.append(time.monotonic())
        if len(times) == streams:
            sender.send(times)

    began = time.monotonic()
    if reads:
        sender.send([began])
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(connections)]
    await asyncio.gather(*(stream(channels[number % connections], has, reads) for number in range(streams)))


async def read_nothing(call: grpc.aio.StreamStreamCall[bytes, bytes]) -> NoReturn:
    """Hold the stream, and take nothing that comes."""
    await call.wait_for_connection()
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


def allow_many_files() -> None:
    """As many as this process and those that it starts may have: a connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
