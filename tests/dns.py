"""A DNS server on loopback whose answers a test changes; it remembers when it was asked."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dnslib import QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class Names(BaseResolver):  # type: ignore[misc]
    """One set of addresses for every name; `asked` holds the times (time.monotonic) of questions for A records."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(addresses)
        self.asked: list[float] = []
        self.server = ""  # IP:PORT

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        if request.q.qtype == QTYPE.A:
            self.asked.append(time.monotonic())
            for address in self.addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=0))
        return reply


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
