"""A balancer that a test tells what the Kubernetes API would: everything else of it is what runs in the cluster."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from grpc_health.v1 import health

from endpoint_watch import Endpoint, Snapshot
from grpclb.balancer import build
from grpclb.load_balancer_servicer import LoadBalancerServicer
from grpclb.server_lists import ServerLists
from testing.threads import InThread

SERVICE, NAMESPACE = "greeter-server", "shop"


class Balancer(InThread):
    """Serves one Service's list on a loopback address, in a thread of its own."""

    def __init__(self, address: str, interval: float) -> None:
        super().__init__()
        self._run(self._start(address, interval))

    async def _start(self, address: str, interval: float) -> None:
        self.lists = ServerLists(SERVICE)
        self.servicer = LoadBalancerServicer({SERVICE: self.lists}, NAMESPACE, interval)
        self._server, port = build(address, self.servicer, health.aio.HealthServicer())
        self.address = f"{address.rpartition(':')[0]}:{port}"
        await self._server.start()
        self._summarizing = asyncio.create_task(self.servicer.clients.summarize(interval))  # held, or it may vanish

    def publish(self, *addresses: str, stale: bool = False) -> None:
        """Say that these are the servers now (HOST:PORT), as an EndpointSlice would."""
        endpoints = tuple(Endpoint(host, int(port)) for host, _, port in (a.rpartition(":") for a in addresses))
        snapshot = Snapshot(SERVICE, endpoints, time.monotonic(), stale)
        self._call(lambda: self.lists.publish(snapshot))

    @property
    def streams(self) -> int:
        return len(self.servicer.clients.now)

    def end(self, grace: float = 5) -> None:
        """As at SIGTERM."""

        def stop() -> None:
            self.servicer.stop()
            self._summarizing.cancel()

        self._end(stop, grace)


@contextmanager
def balancer(*addresses: str, address: str = "127.0.0.1:0", interval: float = 10) -> Iterator[Balancer]:
    """One that knows these servers; nothing yet without any."""
    running = Balancer(address, interval)
    try:
        if addresses:
            running.publish(*addresses)
        yield running
    finally:
        running.end(0)


def addresses(count: int, first: int = 1) -> Iterable[str]:
    """So many that nobody serves on."""
    return [f"10.0.{number // 250}.{number % 250 + 1}:8000" for number in range(first, first + count)]
