"""The cluster's DNS server, on one address for each namespace, over UDP and TCP.

Stands for CoreDNS with the stock Corefile (`kubernetes` with `ttl 30`, `cache 30`, `loadbalance`), and for the search
list with ndots:5 that a pod's resolv.conf has in Kubernetes: a process on loopback can't have a resolv.conf of its own,
so the server completes the names that come to a namespace's address. That address stands in the Namespace's annotation
`lab/dns`. What is outside cluster.local does not exist: nothing is ever asked of another server.
"""

import asyncio
import random
import struct
from dataclasses import replace
from typing import cast

from dnslib import EDNS0, QTYPE, RCODE, RR, DNSError, DNSHeader, DNSRecord

from lab.apimachinery import events
from lab.apimachinery.errors import LabError
from lab.apimachinery.namespaces import DNS
from lab.apimachinery.store import Object, Store
from lab.coredns.cache import Cache
from lab.coredns.records import ZONE, Answer, Records
from lab.network import Network

PORT = 10053
NDOTS = 5
UDP_SIZE = 512  # bytes of an answer, for a client that doesn't say (EDNS) what it can take
COREFILE = """\
.:53 {{
    kubernetes cluster.local {{
        ttl {ttl}
    }}
    cache {ttl}
    loadbalance
}}
"""
TCP_IDLE = 10.0  # seconds after which a silent connection is closed


async def run(store: Store, network: Network, ttl: int = 30) -> None:
    """Serve every namespace, until cancelled. `ttl` is that of the records and, as `cache 30` does, of the cache."""
    cache = Cache(Records(store, ttl).lookup, ttl)
    servers: dict[str, Server] = {}
    _publish(store, ttl)
    try:
        with store.watch(["namespaces"]) as changes:
            async for change in changes:
                name = change.object["metadata"]["name"]
                if change.type == "DELETED" and name in servers:
                    server = servers.pop(name)
                    server.close()
                    network.release(server.address)
                elif change.type != "DELETED":
                    try:
                        if name not in servers:
                            servers[name] = await _start(Resolver(cache, name), network)
                    except LabError as error:
                        events.record(store, change.object, "Warning", "FailedDNS", str(error), "coredns")
                    else:
                        _announce(store, name, servers[name].address)
    finally:
        for server in servers.values():
            server.close()


def _publish(store: Store, ttl: int) -> None:
    """Say in the ConfigMap `coredns`, where kubeadm's clusters say it, how long answers are kept."""
    meta: Object = {"name": "coredns", "namespace": "kube-system"}
    data = {"Corefile": COREFILE.format(ttl=ttl)}
    store.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


async def _start(resolver: "Resolver", network: Network) -> "Server":
    """Serve on an address of its own. Raises LabError."""
    address = network.allocate()
    try:
        return await Server.start(resolver, address)
    except LabError:
        network.release(address)
        raise


def _announce(store: Store, namespace: str, address: str) -> None:
    def annotate(obj: Object) -> None:
        obj["metadata"].setdefault("annotations", {})[DNS] = f"{address}:{PORT}"

    if store.find("namespaces", "", namespace):
        store.mutate("namespaces", "", namespace, annotate)


class Resolver:
    """Answers the questions of one namespace."""

    def __init__(self, cache: Cache, namespace: str) -> None:
        self._cache = cache
        self._search = (f"{namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE)

    def answer(self, query: DNSRecord) -> DNSRecord:
        """The reply to a query, of whatever size."""
        reply = DNSRecord(DNSHeader(id=query.header.id, qr=1, aa=1, rd=query.header.rd), questions=query.questions)
        if len(query.questions) != 1 or query.header.get_opcode() != 0:
            reply.header.rcode = RCODE.NOTIMP
        else:
            answer = self._resolve(str(query.q.qname), query.q.qtype)
            reply.header.rcode = answer.rcode
            reply.add_answer(*_shuffled(answer.records))
            reply.add_auth(*answer.authority)
            reply.add_ar(*_shuffled(answer.additional))
        if (size := _edns_size(query)) is not None:
            reply.add_ar(EDNS0(udp_len=size))
        return reply

    def _resolve(self, asked: str, qtype: int) -> Answer:
        """Try the names that a resolver would try; what is found is given as the answer for the name asked."""
        name = asked.lower()
        completed = [name + suffix for suffix in self._search]
        names = [*completed, name] if name.rstrip(".").count(".") < NDOTS else [name, *completed]
        answers = []
        for candidate in names:
            answer = self._lookup(candidate, qtype)
            if answer.records:
                return replace(answer, records=[_renamed(record, candidate, asked) for record in answer.records])
            answers.append(answer)
        return next((answer for answer in answers if answer.rcode == RCODE.NOERROR), answers[0])

    def _lookup(self, name: str, qtype: int) -> Answer:
        if name == ZONE or name.endswith(f".{ZONE}"):
            return self._cache.lookup(name, qtype)
        return Answer(RCODE.NXDOMAIN)


def _renamed(record: RR, name: str, asked: str) -> RR:
    if str(record.rname) != name:
        return record
    return RR(asked, record.rtype, record.rclass, record.ttl, record.rdata)


def _shuffled(records: list[RR]) -> list[RR]:
    """CoreDNS's `loadbalance`: addresses in random order, after what is not one."""
    addresses = [record for record in records if record.rtype == QTYPE.A]
    random.shuffle(addresses)
    return [record for record in records if record.rtype != QTYPE.A] + addresses


def _edns_size(query: DNSRecord) -> int | None:
    sizes = [max(UDP_SIZE, record.rclass) for record in query.ar if record.rtype == QTYPE.OPT]
    return sizes[0] if sizes else None


def packed(reply: DNSRecord, size: int) -> bytes:
    """The reply on the wire; what doesn't fit into `size` bytes is left out, and the reply marked as truncated."""
    data: bytes = reply.pack()
    options = [record for record in reply.ar if record.rtype == QTYPE.OPT]
    additional = [record for record in reply.ar if record.rtype != QTYPE.OPT]
    while len(data) > size:
        reply.header.tc = 1
        longest = next(section for section in (additional, reply.auth, reply.rr) if section)
        longest.pop()
        reply.ar = additional + options
        data = reply.pack()
    return data


class Server:
    """One namespace's address."""

    def __init__(self, resolver: Resolver, address: str) -> None:
        self.address = address
        self._resolver = resolver
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, resolver: Resolver, address: str) -> "Server":
        """Listen. Raises LabError where the port is taken."""
        server = cls(resolver, address)
        loop = asyncio.get_running_loop()
        try:
            server._udp, _ = await loop.create_datagram_endpoint(lambda: Datagrams(server), (address, PORT))
            # In two steps: cancelled midway, start_server alone would leave its socket open.
            server._tcp = await asyncio.start_server(server._serve, address, PORT, start_serving=False)
            await server._tcp.start_serving()
        except BaseException as error:  # also cancellation: what listens must not go on alone
            server.close()
            if not isinstance(error, OSError):
                raise
            raise LabError(
                f"cannot listen on {address}:{PORT} for DNS ({error.strerror}); "
                f"stop what listens there on all addresses (ss -lnp 'sport = {PORT}')"
            ) from error
        return server

    def close(self) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        for connection in self._connections:
            connection.cancel()

    def reply(self, data: bytes, size: int | None = None) -> bytes:
        """What to send back, at most `size` bytes, or as many as the query allows; nothing for what is no query."""
        try:
            query = DNSRecord.parse(data)
        except DNSError:
            return b""
        if query.header.qr:
            return b""
        return packed(self._resolver.answer(query), size or _edns_size(query) or UDP_SIZE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(length)
                if not (answer := self.reply(data, 65535)):
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return  # the client is done
        except asyncio.CancelledError:
            return  # the server is: asyncio would log a traceback (Python 3.11)
        finally:
            self._connections.discard(task)
            writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """The UDP side of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is none by its class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport and (answer := self._server.reply(data)):
            self._transport.sendto(answer, addr)
