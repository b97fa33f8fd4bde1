"""The records of Services: what CoreDNS's `kubernetes` plugin answers in the zone cluster.local.

Source: the Kubernetes DNS specification (github.com/kubernetes/dns, docs/specification.md) and
github.com/coredns/coredns/plugin/kubernetes. The port of an SRV record is the one where the lab listens. Left out:
names of pods (`1-2-3-4.namespace.pod`, `hostname`), and the addresses behind an ExternalName of this zone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dnslib import CNAME, QTYPE, RCODE, RR, SOA, SRV, A

from lab.apimachinery.endpointslices import slices_of
from lab.apimachinery.store import Object, Store
from lab.loopback import moved

ZONE = "cluster.local."


@dataclass(frozen=True)
class Answer:
    """What a question is answered with."""

    rcode: int
    records: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    additional: list[RR] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """An address behind a name, and the name that SRV records give it."""

    address: str
    port: int
    name: str


class NoSuchName(Exception):
    """There is nothing of this name: NXDOMAIN."""


class Records:
    """The zone, as the store has it at the moment."""

    def __init__(self, store: Store, ttl: int) -> None:
        self._store = store
        self._ttl = ttl

    def lookup(self, name: str, qtype: int) -> Answer:
        """Answer a question for a name (lower case, with its final dot) of the zone."""
        try:
            records, additional = self._lookup(name, qtype)
        except NoSuchName:
            return Answer(RCODE.NXDOMAIN, authority=[self._soa()])
        if not records:
            return Answer(RCODE.NOERROR, authority=[self._soa()])
        return Answer(RCODE.NOERROR, records, additional=additional)

    def _lookup(self, name: str, qtype: int) -> tuple[list[RR], list[RR]]:
        labels = name.removesuffix(ZONE).rstrip(".").split(".")
        if alias := self._alias(labels):
            shown = qtype in (QTYPE.A, QTYPE.AAAA, QTYPE.CNAME)
            return [RR(name, QTYPE.CNAME, ttl=self._ttl, rdata=CNAME(alias))] if shown else [], []
        targets = self._targets(labels)
        if qtype == QTYPE.A:
            return self._addresses((name, target.address) for target in targets), []
        if qtype == QTYPE.SRV:
            return self._srv(name, targets)
        return [], []

    def _targets(self, labels: list[str]) -> list[Target]:
        """The targets that the labels before the zone name. Raises NoSuchName."""
        match labels:
            case [""] | ["svc"]:
                return []
            case [*rest, namespace, "svc"] if self._store.find("namespaces", "", namespace):
                return self._service(namespace, rest) if rest else []
        raise NoSuchName

    def _service(self, namespace: str, labels: list[str]) -> list[Target]:
        *rest, name = labels
        service = self._store.find("services", namespace, name)
        if service is None or len(rest) > 2:
            raise NoSuchName
        endpoint = rest[0] if len(rest) == 1 else None
        port, protocol = (label.removeprefix("_") for label in rest) if len(rest) == 2 else ("", "")
        full_name = f"{name}.{namespace}.svc.{ZONE}"
        if endpoint or service["spec"].get("clusterIP", "None") in ("None", ""):
            slices = slices_of(self._store, namespace, name)
            targets = list(_endpoints(slices, full_name, endpoint, port, protocol))
        else:
            ports = [p for p in service["spec"]["ports"] if _fits(p, port, protocol)]
            targets = [Target(service["spec"]["clusterIP"], p["port"], full_name) for p in ports]
        if not targets:
            raise NoSuchName
        return targets

    def _alias(self, labels: list[str]) -> str | None:
        """The externalName of the Service that these labels name."""
        match labels:
            case [name, namespace, "svc"]:
                service = self._store.find("services", namespace, name)
                if service and service["spec"].get("type") == "ExternalName":
                    return str(service["spec"]["externalName"]).lower().rstrip(".") + "."
        return None

    def _srv(self, name: str, targets: list[Target]) -> tuple[list[RR], list[RR]]:
        weight = max(1, 100 // len(targets)) if targets else 0
        places = dict.fromkeys((target.name, target.port) for target in targets)
        records = [
            RR(name, QTYPE.SRV, ttl=self._ttl, rdata=SRV(0, weight, moved(port), target)) for target, port in places
        ]
        return records, self._addresses((target.name, target.address) for target in targets)

    def _addresses(self, places: Iterable[tuple[str, str]]) -> list[RR]:
        return [RR(name, QTYPE.A, ttl=self._ttl, rdata=A(address)) for name, address in dict.fromkeys(places)]

    def _soa(self) -> RR:
        times = (self._store.version, 7200, 1800, 86400, self._ttl)
        return RR(ZONE, QTYPE.SOA, ttl=self._ttl, rdata=SOA(f"ns.dns.{ZONE}", f"hostmaster.{ZONE}", times))


def _fits(port: Object, name: str, protocol: str) -> bool:
    """Whether a port is the one asked for; without a name any is."""
    found = (port.get("name") or "", port.get("protocol", "TCP").lower())
    return name in ("", found[0]) and protocol in ("", found[1])


def _endpoints(slices: list[Object], service: str, endpoint: str | None, port: str, protocol: str) -> Iterable[Target]:
    """The ready endpoints of a Service, each called by its address, with dashes."""
    for slice_ in slices:
        ports = [p for p in slice_["ports"] or [] if _fits(p, port, protocol)]
        for found in slice_["endpoints"] or []:
            if found.get("conditions", {}).get("ready") is not False:
                for address in found["addresses"]:
                    label = address.replace(".", "-")
                    if endpoint in (None, label):
                        yield from (Target(address, p["port"], f"{label}.{service}") for p in ports)
