"""A DNS server on loopback whose answers a test changes; it remembers when it was asked."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dnslib import QTYPE, RR, SRV, A, DNSLabel, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class Names(BaseResolver):  # type: ignore[misc]
    """One set of addresses, and of balancers, for every name.

    SRV of `_grpclb._tcp.NAME` names each balancer's port and a target of its own, `10-0-0-1.NAME` for 10.0.0.1.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(addresses)
        self.balancers: list[tuple[str, int]] = []  # address and port
        self.asked: list[float] = []  # when (time.monotonic) for A records, but of a balancer's target
        self.asked_srv: list[float] = []  # when for SRV records
        self.server = ""  # IP:PORT

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name: DNSLabel = request.q.qname
        if request.q.qtype == QTYPE.A:
            for address in self._addresses(name):
                reply.add_answer(RR(name, QTYPE.A, rdata=A(address), ttl=0))
        if request.q.qtype == QTYPE.SRV:
            self.asked_srv.append(time.monotonic())
            if name.label[:2] == (b"_grpclb", b"_tcp"):
                for address, port in self.balancers:
                    target = DNSLabel((_dashed(address), *name.label[2:]))
                    reply.add_answer(RR(name, QTYPE.SRV, rdata=SRV(port=port, target=target), ttl=0))
                    reply.add_ar(RR(target, QTYPE.A, rdata=A(address), ttl=0))
        return reply

    def _addresses(self, name: DNSLabel) -> list[str]:
        for address, _ in self.balancers:
            if name.label[:1] == (_dashed(address),):
                return [address]
        self.asked.append(time.monotonic())
        return self.addresses


def _dashed(address: str) -> bytes:
    return address.replace(".", "-").encode()


@contextmanager
def dns(addresses: Iterable[str]) -> Iterator[Names]:
    """Serve the addresses until the end of the block."""
    names = Names(addresses)
    server = DNSServer(names, address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
    server.start_thread()
    try:
        host, port = server.server.server_address
        names.server = f"{host}:{port}"
        yield names
    finally:
        server.stop()
        server.server.server_close()
