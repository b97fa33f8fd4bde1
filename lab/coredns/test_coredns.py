"""The DNS server, asked over UDP and TCP: short names, changes, bounds and odd bytes."""

import asyncio
import gc
import socket
import struct
import warnings

import pytest
from dnslib import EDNS0, RCODE, DNSRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.apimachinery.store import Store
from lab.coredns import coredns
from lab.coredns.cache import Cache
from lab.coredns.coredns import Resolver
from lab.coredns.records import Records
from lab.network import Network
from lab.testing import create_service, create_slice, namespace, running, until


def headless(store: Store, *addresses: str) -> None:
    create_service(store)
    create_slice(store, *addresses)


async def address_of(store: Store, namespace: str = "shop") -> tuple[str, int]:
    def announced() -> str:
        return str(store.get("namespaces", "", namespace)["metadata"].get("annotations", {}).get("lab/dns", ""))

    host, _, port = (await until(announced, "the address of the DNS server")).partition(":")
    return host, int(port)


async def send(address: tuple[str, int], data: bytes) -> bytes:
    """One datagram and its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect(address)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(udp, data)
        async with asyncio.timeout(20):
            return await loop.sock_recv(udp, 65535)


async def ask(address: tuple[str, int], name: str, qtype: str = "A") -> DNSRecord:
    return DNSRecord.parse(await send(address, DNSRecord.question(name, qtype).pack()))


async def ask_over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> DNSRecord:
    data = DNSRecord.question(name).pack()
    writer.write(struct.pack("!H", len(data)) + data)
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return DNSRecord.parse(await reader.readexactly(length))


def addresses(reply: DNSRecord) -> list[str]:
    return sorted(str(record.rdata) for record in reply.rr)


@pytest.mark.parametrize("name", ["web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "WEB.Shop"])
async def test_a_service_is_found_by_every_name_that_a_pod_can_use(store: Store, network: Network, name: str) -> None:
    headless(store, "127.64.0.2")
    async with running(coredns.run(store, network)):
        reply = await ask(await address_of(store), name)
    assert addresses(reply) == ["127.64.0.2"]
    assert str(reply.rr[0].rname) == f"{name}."


async def test_a_short_name_means_the_service_of_the_own_namespace(store: Store, network: Network) -> None:
    headless(store, "127.64.0.2")
    namespace(store, "office")
    async with running(coredns.run(store, network)):
        shop, office = await address_of(store), await address_of(store, "office")
        assert shop != office
        assert addresses(await ask(shop, "web")) == ["127.64.0.2"]
        assert (await ask(office, "web")).header.rcode == RCODE.NXDOMAIN
        assert addresses(await ask(office, "web.shop")) == ["127.64.0.2"]


async def test_addresses_come_in_changing_order(store: Store, network: Network) -> None:
    headless(store, *(f"127.64.0.{n}" for n in range(2, 7)))
    async with running(coredns.run(store, network)):
        dns = await address_of(store)
        firsts = {str((await ask(dns, "web")).rr[0].rdata) for _ in range(60)}
    assert len(firsts) == 5


@pytest.mark.parametrize(("ttl", "seen"), [(30, "127.64.0.2"), (0, "127.64.0.3")])
async def test_answers_are_cached_across_namespaces_and_names(
    store: Store, network: Network, ttl: int, seen: str
) -> None:
    headless(store, "127.64.0.2")
    namespace(store, "office")
    async with running(coredns.run(store, network, ttl)):
        assert (await ask(await address_of(store), "web")).rr[0].ttl == ttl
        store.mutate("endpointslices", "shop", "web", lambda s: s["endpoints"][0].update(addresses=["127.64.0.3"]))
        assert addresses(await ask(await address_of(store, "office"), "web.shop")) == [seen]


async def test_what_a_datagram_cannot_hold_is_truncated_and_whole_over_tcp(store: Store, network: Network) -> None:
    headless(store, *(f"127.64.0.{n}" for n in range(1, 201)))
    async with running(coredns.run(store, network)):
        dns = await address_of(store)
        plain = await send(dns, DNSRecord.question("web").pack())
        assert len(plain) <= 512
        assert DNSRecord.parse(plain).header.tc == 1
        query = DNSRecord.question("web")
        query.add_ar(EDNS0(udp_len=4096))
        extended = await send(dns, query.pack())
        assert len(extended) > 512
        assert (DNSRecord.parse(extended).header.tc, len(DNSRecord.parse(extended).rr)) == (0, 200)
        reader, writer = await asyncio.open_connection(*dns)
        for _ in range(2):  # on one connection
            reply = await ask_over_tcp(reader, writer, "web")
            assert (reply.header.tc, len(reply.rr)) == (0, 200)
        writer.close()


async def test_a_deleted_namespace_gives_its_address_back(store: Store, network: Network) -> None:
    free = len(network._free)
    async with running(coredns.run(store, network)):
        dns = await address_of(store)
        assert len(network._free) == free - 1
        store.delete("namespaces", "", "shop")
        await until(lambda: len(network._free) == free, "the address is free")
        with pytest.raises(ConnectionRefusedError):
            await ask(dns, "web")


async def test_the_address_is_announced_again_when_somebody_takes_it_off(store: Store, network: Network) -> None:
    async with running(coredns.run(store, network)):
        before = await address_of(store)
        store.mutate("namespaces", "", "shop", lambda n: n["metadata"].pop("annotations"))
        assert await address_of(store) == before


async def test_a_taken_port_is_told_in_an_event(store: Store, network: Network) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other_address = network._free[0]
        other.bind((other_address, coredns.PORT))
        async with running(coredns.run(store, network)):
            (event,) = await until(lambda: store.list("events", "default"), "an event")
    assert event["message"].startswith(f"cannot listen on {other_address}:10053 for DNS (Address already in use)")


async def test_its_end_leaves_nothing_open_however_soon_it_comes(network: Network) -> None:
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always")
        for steps in range(20):
            store = Store()
            shop = namespace(store)["metadata"]["name"]
            async with running(coredns.run(store, network)):
                for _ in range(steps):
                    await asyncio.sleep(0)
        gc.collect()
    assert not unclosed
    assert "annotations" in store.get("namespaces", "", shop)["metadata"]  # the last came when all was open


async def test_its_end_logs_nothing_of_the_connections_that_it_ends(
    store: Store, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(coredns.run(store, network)):
        reader, writer = await asyncio.open_connection(*await address_of(store))
        await ask_over_tcp(reader, writer, "web")  # it is being served
    assert await reader.read() == b""
    writer.close()
    assert caplog.records == []


HEADER = DNSRecord.question("web").pack()[:12]


@given(data=st.binary(max_size=600) | st.binary(max_size=60).map(lambda question: HEADER + question))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_no_datagram_makes_it_fail(data: bytes) -> None:
    server = coredns.Server(Resolver(Cache(Records(Store(), 30).lookup, 30), "shop"), "127.64.0.1")
    reply = server.reply(data)
    assert reply == b"" or reply[:2] == data[:2]


async def test_the_corefile_says_how_long_answers_are_kept(store: Store, network: Network) -> None:
    def corefile() -> str:
        found = store.find("configmaps", "kube-system", "coredns")
        return str(found["data"]["Corefile"]) if found else ""

    async with running(coredns.run(store, network, ttl=7)):
        assert "    cache 7\n" in await until(corefile, "the ConfigMap")
