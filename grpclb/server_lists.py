"""The list of one Service's servers, encoded once for all clients; each edition supersedes the last."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Hashable, Iterable

from endpoint_watch import Endpoint, Snapshot
from grpclb import metrics
from grpclb.load_balancer_pb2 import FallbackResponse, LoadBalanceResponse, Server, ServerList

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds until a change is logged though some client has not taken it: it doesn't read


def encoded(endpoints: Iterable[Endpoint]) -> bytes:
    """The response on the wire. A token names its server, and so is the same for all clients."""
    servers = [
        Server(
            ip_address=ipaddress.ip_address(endpoint.address).packed,
            port=endpoint.port,
            load_balance_token=f"{endpoint.address}:{endpoint.port}",
        )
        for endpoint in endpoints
    ]
    metrics.ENCODINGS.inc()
    if servers:
        response = LoadBalanceResponse(server_list=ServerList(servers=servers))
    else:
        response = LoadBalanceResponse(fallback_response=FallbackResponse())
    wire: bytes = response.SerializeToString()
    return wire


class Edition:
    """A list, and which clients have yet to be told of it."""

    def __init__(self, endpoints: tuple[Endpoint, ...], heard: float, clients: Iterable[Hashable]) -> None:
        self.endpoints = endpoints
        self.heard = heard  # by time.monotonic()
        self.encoded = encoded(endpoints)
        self.superseded = asyncio.Event()
        self._untold = set(clients)
        self._clients = len(self._untold)
        self._all_told = asyncio.Event()
        self._last = time.monotonic()
        self.leave(None)

    def told(self, client: Hashable) -> None:
        metrics.LISTS.inc()
        self._last = time.monotonic()
        self.leave(client)

    def leave(self, client: Hashable) -> None:
        """This client need not be told any more."""
        self._untold.discard(client)
        if not self._untold:
            self._all_told.set()

    async def age(self) -> str:
        """How long it took from hearing of it until the clients were told, in words."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._all_told.wait()
        except TimeoutError:
            pass
        seconds = self._last - self.heard
        metrics.AGE.observe(seconds)
        told = self._clients - len(self._untold)
        return f"told {told} of {self._clients} client(s) within {1000 * seconds:.1f} ms of hearing of it"


class ServerLists:
    """The current edition of one Service's list. Before anything is known of it, that is the fallback response."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._clients: set[Hashable] = set()
        self._stale = False
        self._logging: set[asyncio.Task[None]] = set()
        self.current = Edition((), time.monotonic(), ())
        self.known = False

    def join(self, client: Hashable) -> None:
        self._clients.add(client)

    def leave(self, client: Hashable) -> None:
        self._clients.discard(client)
        self.current.leave(client)

    def publish(self, snapshot: Snapshot) -> None:
        """Make it the current edition where it differs."""
        if snapshot.stale != self._stale:
            self._stale = snapshot.stale
            words = "may be out of date: the Kubernetes API is away" if snapshot.stale else "is up to date again"
            log.info("%s: the list of %d server(s) %s", self._service, len(snapshot.endpoints), words)
        metrics.STALE.labels(self._service).set(snapshot.stale)
        metrics.ENDPOINTS.labels(self._service).set(len(snapshot.endpoints))
        last = self.current
        if self.known and snapshot.endpoints == last.endpoints:
            return
        self.known = True
        self.current = Edition(snapshot.endpoints, snapshot.heard, self._clients)
        last.superseded.set()
        metrics.CHANGES.labels(self._service).inc()
        task = asyncio.create_task(self._log(last, self.current))
        self._logging.add(task)
        task.add_done_callback(self._logging.discard)

    async def _log(self, last: Edition, edition: Edition) -> None:
        old, new = set(last.endpoints), set(edition.endpoints)
        age = await edition.age()
        log.info(
            "%s has %d server(s), %d new, %d gone; %s", self._service, len(new), len(new - old), len(old - new), age
        )
