"""Servers behind one name in DNS, as pods are behind a headless Service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testing.dns import Names, dns
from testing.processes import Process, greeters


@dataclass
class Service:
    """`names` says which of the servers DNS names."""

    servers: dict[str, Process]  # by address
    port: int
    names: Names

    @property
    def target(self) -> str:
        """What a client dials."""
        return f"dns://{self.names.server}/greeter-server:{self.port}"

    @property
    def first(self) -> tuple[str, Process]:
        """One server and its address, for a test to break."""
        return next(iter(self.servers.items()))


@contextmanager
def service(count: int, *args: str, named: int | None = None) -> Iterator[Service]:
    """So many servers, of which DNS names the first few (all by default)."""
    with greeters(count, *args) as started:
        servers = {address.rpartition(":")[0]: server for server, address in started}
        port = int(started[0][1].rpartition(":")[2])
        with dns(list(servers)[:named]) as names:
            yield Service(servers, port, names)
