"""What the cluster's DNS answers, record by record, and as a gRPC client in a pod resolves names.

Source: the specification of DNS-based service discovery of Kubernetes (kubernetes/dns), and CoreDNS' `cache 30`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from lab.conformance.api import Api, Object
from lab.conformance.differences import Cluster
from lab.conformance.manifests import SLEEP, container, pod, python, service
from lab.conformance.states import ready

NEVER_READY = {"exec": {"command": python("raise SystemExit(1)")}, "periodSeconds": 1}
Ask = Callable[..., Awaitable[DNSRecord]]


@pytest.fixture
async def ask(api: Api, cluster: Cluster) -> Ask:
    """Asks the cluster's DNS server a question."""
    if cluster.differs("dns-address"):
        address = (await api.get("namespaces", api.namespace))["metadata"]["annotations"]["lab/dns"]
    elif not (address := os.environ.get("DNS_ADDRESS", "")):
        pytest.skip("DNS_ADDRESS is not set: nothing to ask this cluster's DNS at")
    host, _, port = address.partition(":")

    async def question(name: str, kind: str = "A") -> DNSRecord:
        packet = await asyncio.to_thread(DNSRecord.question(name, kind).send, host, int(port), timeout=5)
        return DNSRecord.parse(packet)

    return question


def data(answer: DNSRecord) -> list[str]:
    return sorted(str(record.rdata) for record in answer.rr)


def rcode(answer: DNSRecord) -> str:
    return str(RCODE[answer.header.rcode])


def full(api: Api, name: str = "web") -> str:
    return f"{name}.{api.namespace}.svc.cluster.local"


async def member(api: Api, name: str, *, is_ready: bool = True) -> str:
    """A pod of the Service `web`; return its address."""
    probe: Object = {} if is_ready else {"readinessProbe": NEVER_READY}
    await api.create("pods", pod(name, container(SLEEP, **probe), labels={"app": "web"}))
    has = ready if is_ready else has_address
    return str((await api.until_one("pods", name, has, "has an address"))["status"]["podIP"])


def has_address(obj: Object) -> bool:
    return "podIP" in obj["status"]


async def published(api: Api, count: int) -> None:
    """Wait until so many endpoints are in the Service's slices, ready or not."""

    def are(slices: list[Object]) -> bool:
        return len([e for s in slices for e in s.get("endpoints") or []]) == count

    await api.until("endpointslices", are, f"{count} endpoints")


async def answered(ask: Ask, name: str, kind: str, wanted: list[str], within: float = 40) -> DNSRecord:
    """Ask until the answer is the one wanted: a cache may hold an older one for a while."""
    async with asyncio.timeout(within):
        while data(answer := await ask(name, kind)) != wanted:  # noqa: ASYNC110  a name server tells no one of changes
            await asyncio.sleep(0.2)
    return answer


async def test_a_services_name_is_its_address(api: Api, ask: Ask) -> None:
    made = await api.create("services", service("web"))
    answer = await answered(ask, full(api), "A", [made["spec"]["clusterIP"]])
    assert rcode(answer) == "NOERROR"
    assert answer.header.aa
    assert 0 < answer.rr[0].ttl <= 30


async def test_a_headless_services_name_is_the_addresses_of_its_ready_pods(api: Api, ask: Ask) -> None:
    await api.create("services", service("web", clusterIP="None"))
    addresses = [await member(api, "one"), await member(api, "two")]
    await member(api, "three", is_ready=False)
    await published(api, 3)
    await answered(ask, full(api), "A", sorted(addresses))


async def test_a_headless_service_that_publishes_all_names_pods_that_are_not_ready_too(api: Api, ask: Ask) -> None:
    await api.create("services", service("web", clusterIP="None", publishNotReadyAddresses=True))
    addresses = [await member(api, "one"), await member(api, "two", is_ready=False)]
    await published(api, 2)
    await answered(ask, full(api), "A", sorted(addresses))


async def test_a_name_that_is_none_does_not_exist(api: Api, ask: Ask) -> None:
    for name in (full(api, "nothing"), "web.nowhere.svc.cluster.local", "example.com"):
        answer = await ask(name)
        assert (rcode(answer), data(answer)) == ("NXDOMAIN", [])
    authority = (await ask(full(api, "nothing"))).auth
    assert [QTYPE[record.rtype] for record in authority] == ["SOA"]
    assert str(authority[0].rname) == "cluster.local."


async def test_a_headless_service_without_ready_pods_does_not_exist_by_name(api: Api, ask: Ask) -> None:
    await api.create("services", service("web", clusterIP="None"))
    await member(api, "one", is_ready=False)
    await published(api, 1)
    answer = await ask(full(api))
    assert (rcode(answer), data(answer)) == ("NXDOMAIN", [])


async def test_a_name_without_records_of_the_kind_asked_for_exists(api: Api, ask: Ask) -> None:
    made = await api.create("services", service("web"))
    await answered(ask, full(api), "A", [made["spec"]["clusterIP"]])
    for kind in ("AAAA", "TXT"):
        answer = await ask(full(api), kind)
        assert (rcode(answer), data(answer)) == ("NOERROR", [])
        assert [QTYPE[record.rtype] for record in answer.auth] == ["SOA"]


async def test_a_named_port_has_srv_records_that_name_each_pod(api: Api, ask: Ask) -> None:
    await api.create("services", service("web", 80, 8123, clusterIP="None"))
    addresses = [await member(api, "one"), await member(api, "two")]
    await published(api, 2)
    names = [f"{address.replace('.', '-')}.{full(api)}." for address in addresses]
    answer = await answered(ask, f"_grpc._tcp.{full(api)}", "SRV", sorted(f"0 50 8123 {name}" for name in names))
    for name, address in zip(names, addresses, strict=True):
        assert [str(r.rdata) for r in answer.ar if str(r.rname) == name] == [address]
        assert data(await ask(name)) == [address]


async def test_a_services_srv_record_names_the_service_and_its_port(api: Api, ask: Ask, cluster: Cluster) -> None:
    await api.create("services", service("web", 80, 8123))
    port = 10080 if cluster.differs("low-ports") else 80
    await answered(ask, f"_grpc._tcp.{full(api)}", "SRV", [f"0 100 {port} {full(api)}."])
    other = await ask(f"_other._tcp.{full(api)}", "SRV")
    assert rcode(other) == "NXDOMAIN"


async def test_an_answer_is_held_until_its_time_is_over_whatever_has_happened_since(api: Api, ask: Ask) -> None:
    """So a client may be told of dead pods, and not of new ones, for as long as the cache holds."""
    await api.create("services", service("web", clusterIP="None"))
    first = await member(api, "one")
    await published(api, 1)
    before = await answered(ask, full(api), "A", [first])
    second = await member(api, "two")
    await published(api, 2)
    async with asyncio.timeout(5):
        while (held := await ask(full(api))).rr[0].ttl >= before.rr[0].ttl:  # noqa: ASYNC110  time is what passes
            await asyncio.sleep(0.2)
    assert data(held) == [first]
    await answered(ask, full(api), "A", sorted([first, second]), 40)
