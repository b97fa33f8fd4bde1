"""Makes calls over channels, and keeps what became of each."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc

from helloworld import helloworld_pb2, helloworld_pb2_grpc

# What the server tells back of gRFC A6's metadata: how often a retryPolicy had tried before the attempt it answered.
PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"
# How many attempts an Envoy on the way has made (include_attempt_count_in_response).
ENVOY_ATTEMPTS = "x-envoy-attempt-count"
BATCH = 20  # calls in a row over one channel, before as many over the other: load on the machine hits both alike
PAUSE = 0.02  # seconds between calls that only wait for backends: they need not keep anybody busy


class Call(NamedTuple):
    """Times in seconds; `start` since the epoch."""

    start: float
    latency: float
    code: str  # a grpc.StatusCode's name
    backend: str  # its address, "" where the call failed
    attempts: int  # a failed call that no server answered counts as one
    details: str


def greet(
    stub: helloworld_pb2_grpc.GreeterStub, name: str, deadline: float, metadata: Sequence[tuple[str, str]] = ()
) -> Call:
    """Make one call; failures are returned, not raised."""
    request = helloworld_pb2.HelloRequest(name=name)
    start, began = time.time(), time.perf_counter()
    try:
        reply, rpc = stub.SayHello.with_call(request, timeout=deadline, metadata=tuple(metadata))
    except grpc.RpcError as error:
        latency = time.perf_counter() - began
        return Call(start, latency, error.code().name, "", _attempts(error), error.details() or "")
    latency = time.perf_counter() - began
    return Call(start, latency, "OK", reply.backend_ip, _attempts(rpc), reply.message)


def _attempts(rpc: Any) -> int:  # a finished call, or the error that it is when it failed
    told = {**dict(rpc.initial_metadata() or ()), **dict(rpc.trailing_metadata() or ())}  # a failure has trailers only
    return int(told.get(PREVIOUS_ATTEMPTS, 0)) + int(told.get(ENVOY_ATTEMPTS, 1))


class Measurement:
    """Calls, each with a deadline and the same metadata; over one channel, or over several in turn."""

    def __init__(
        self,
        stubs: Sequence[helloworld_pb2_grpc.GreeterStub],
        name: str,
        deadline: float,
        stop: threading.Event,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._stubs = itertools.cycle(stubs)
        self._metadata = metadata
        self._name = name
        self._deadline = deadline
        self._stop = stop

    def warm_up(self, backends: int, limit: float) -> int:
        """Call until as many backends have answered, for `limit` seconds at most; return how many calls that took.

        Without the metadata: a fault that it asks for is of the measured calls.
        """
        end = time.monotonic() + limit
        seen: set[str] = set()
        calls = 0
        while len(seen) < backends and time.monotonic() < end and not self._stop.is_set():
            calls += 1
            call = greet(next(self._stubs), self._name, self._deadline)
            if call.code == "OK":
                seen.add(call.backend)
            if len(seen) < backends:
                self._stop.wait(PAUSE)
        return calls

    def count(self, total: int) -> list[Call]:
        """`total` calls, or fewer where stopped."""
        return [self._greet() for _ in self._until_stopped(total)]

    def count_parallel(self, total: int, parallel: int) -> list[Call]:
        """`total` calls, or fewer where stopped, so many at a time; in the order of their beginnings."""
        with ThreadPoolExecutor(parallel) as callers:
            calls = callers.map(lambda _: None if self._stop.is_set() else self._greet(), range(total))
            return sorted(call for call in calls if call)

    def count_beside(self, other: "Measurement", total: int) -> tuple[list[Call], list[Call]]:
        """`total` calls over this and as many of the other measurement's, batch by batch."""
        ours: list[Call] = []
        theirs: list[Call] = []
        while len(ours) < total and not self._stop.is_set():
            batch = min(BATCH, total - len(ours))
            ours += self.count(batch)
            theirs += other.count(batch)
        return ours, theirs

    def during(self, duration: float, rate: int) -> list[Call]:
        """Calls at `rate` a second for `duration` seconds, on a schedule: late ones are made up for, none left out."""
        calls: list[Call] = []
        began = time.monotonic()
        while not self._stop.is_set() and len(calls) < duration * rate:
            due = began + len(calls) / rate
            if (now := time.monotonic()) >= began + duration:
                break
            if not self._stop.wait(max(0.0, due - now)):
                calls.append(self._greet())
        return calls

    def _until_stopped(self, total: int) -> Iterator[int]:
        for i in range(total):
            if self._stop.is_set():
                return
            yield i

    def _greet(self) -> Call:
        return greet(next(self._stubs), self._name, self._deadline, self._metadata)
