"""Long streams: each is balanced once, when it starts, and stays where it landed however long it lives."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from helloworld import helloworld_pb2, helloworld_pb2_grpc


class Streams:
    """`total` streams over one channel, each sending a name every `interval` seconds, `count` times or until `stop`."""

    def __init__(
        self,
        stub: helloworld_pb2_grpc.GreeterStub,
        name: str,
        interval: float,
        count: int | None,
        stop: threading.Event,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._stub = stub
        self._name = name
        self._interval = interval
        self._count = count
        self._stop = stop
        self._metadata = tuple(metadata)

    def run(self, total: int, *, talk: bool) -> list[dict[str, Any]]:
        """How each stream fared: the backend it landed on, messages received, status. `talk` prints each."""
        with ThreadPoolExecutor(total) as pool:
            return list(pool.map(lambda number: self._one(number, talk), range(1, total + 1)))

    def _one(self, number: int, talk: bool) -> dict[str, Any]:
        backends: set[str] = set()
        messages, code, details = 0, "OK", ""
        try:
            for reply in self._stub.SayHelloStream(self._names(), metadata=self._metadata):
                messages += 1
                backends.add(reply.backend_ip)
                if talk:
                    print(f"Stream {number}: {reply.message} (Backend IP: {reply.backend_ip})", flush=True)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
            if talk:
                print(f"Stream {number} ended: {code}: {details}", flush=True)
        return {"backends": sorted(backends), "messages": messages, "code": code, "details": details}

    def _names(self) -> Iterator[helloworld_pb2.HelloRequest]:
        sent = 0
        while not self._stop.is_set() and sent != self._count:
            yield helloworld_pb2.HelloRequest(name=self._name)
            sent += 1
            if sent != self._count:
                self._stop.wait(self._interval)
