"""kube-proxy: real connections through a real Envoy to real servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from lab.apimachinery.store import Object, Store
from lab.kube_proxy import kube_proxy
from lab.network import Network
from lab.testing import create_service, create_slice, running, until

PORT = 8000


@contextlib.asynccontextmanager
async def backends(network: Network, count: int) -> AsyncIterator[list[str]]:
    """Servers that answer each line with their own address."""
    async with contextlib.AsyncExitStack() as stack:
        addresses = [network.allocate() for _ in range(count)]
        for address in addresses:
            serve = partial(answer, address.encode() + b"\n")
            await stack.enter_async_context(await asyncio.start_server(serve, address, PORT))
        yield addresses


async def answer(line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):  # the client is done
        while await reader.readline():
            writer.write(line)
            await writer.drain()


def proxied_service(store: Store, network: Network, port: int = PORT, name: str = "web") -> tuple[str, int]:
    address = network.allocate()
    create_service(store, name, clusterIP=address, ports=[{"name": "grpc", "port": port, "protocol": "TCP"}])
    return address, port


def terminating(address: str, *, serving: bool = True) -> Object:
    return {"addresses": [address], "conditions": {"ready": False, "serving": serving, "terminating": True}}


def publish(store: Store, *endpoints: Object | str, port: int = PORT) -> None:
    """Make these all the endpoints of the Service's slice."""
    if store.find("endpointslices", "shop", "web"):
        store.delete("endpointslices", "shop", "web")
    create_slice(store, *endpoints, port=port)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def who(connection: Streams) -> str:
    """Who answers on this connection; "reset" where it is lost before the answer."""
    reader, writer = connection
    writer.write(b"?\n")
    try:
        async with asyncio.timeout(20):
            return (await reader.readline()).decode().strip()
    except ConnectionResetError:
        return "reset"


async def ask(service: tuple[str, int]) -> str:
    """Who answers on a new connection; "" where it is refused."""
    try:
        connection = await asyncio.open_connection(*service)
    except ConnectionRefusedError:
        return ""
    answer = await who(connection)
    connection[1].close()
    return answer


async def serves(service: tuple[str, int], *addresses: str) -> None:
    """Wait until new connections go to these backends and to no other."""
    deadline = asyncio.get_running_loop().time() + 10
    seen: set[str] = set()
    while seen != set(addresses):
        assert asyncio.get_running_loop().time() < deadline, f"answers come from {seen}, expected {addresses}"
        seen = {await ask(service) for _ in range(12 * len(addresses))}


async def test_established_connections_stay_when_their_endpoint_leaves(
    store: Store, network: Network, tmp_path: Path
) -> None:
    async with running(kube_proxy.run(store, tmp_path)), backends(network, 2) as (one, two):
        service = proxied_service(store, network)
        publish(store, one)
        await serves(service, one)
        connection = await asyncio.open_connection(*service)
        assert await who(connection) == one
        publish(store, two)
        await serves(service, two)
        assert await who(connection) == one
        publish(store)
        await serves(service, "")
        assert await who(connection) == one
        connection[1].close()


def envoys(of: Path) -> list[int]:
    """The process IDs of the Envoys of this lab."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = cmdline.read_text().split("\0")
            if arguments[0].endswith("/envoy") and any(str(of) in argument for argument in arguments):
                found.append(int(cmdline.parent.name))
    return found


async def test_more_services_take_no_more_inotify_instances(store: Store, network: Network, tmp_path: Path) -> None:
    """Linux lets a user have 128, and an Envoy that gets none aborts."""

    def instances(pid: int) -> int:
        return sum(fd.readlink() == Path("anon_inode:inotify") for fd in Path(f"/proc/{pid}/fd").iterdir())

    async with backends(network, 2) as (one, two), running(kube_proxy.run(store, tmp_path)):
        service = proxied_service(store, network)
        publish(store, one)
        await serves(service, one)
        (pid,) = envoys(tmp_path)
        before = instances(pid)
        assert before
        another = proxied_service(store, network, name="another")
        create_slice(store, two, name="another", service="another")
        await serves(another, two)
        assert instances(pid) == before


async def test_one_envoy_serves_all_changes_and_ends_with_the_lab(
    store: Store, network: Network, tmp_path: Path
) -> None:
    async with backends(network, 2) as (one, two):
        async with running(kube_proxy.run(store, tmp_path)):
            service = proxied_service(store, network)
            assert envoys(tmp_path) == []
            publish(store, one)
            await serves(service, one)
            (pid,) = envoys(tmp_path)
            publish(store, two)
            await serves(service, two)
            store.delete("services", "shop", "web")
            await serves(service, "")
            assert envoys(tmp_path) == [pid]
        await until(lambda: envoys(tmp_path) == [], "Envoy is gone")


def proxied(store: Store) -> set[str]:
    """The addresses of the endpoints to which anything is proxied."""
    return {address for route in kube_proxy.routes_of(store) for address, _ in route.endpoints}


def test_a_terminating_endpoint_serves_only_while_no_other_is_ready(store: Store, network: Network) -> None:
    proxied_service(store, network)
    publish(store, terminating("127.64.0.2"))
    assert proxied(store) == {"127.64.0.2"}
    publish(store, terminating("127.64.0.2"), "127.64.0.3")
    assert proxied(store) == {"127.64.0.3"}
    publish(store, terminating("127.64.0.2", serving=False))
    assert proxied(store) == set()


def test_all_slices_of_a_service_count_those_made_by_hand_too(store: Store, network: Network) -> None:
    proxied_service(store, network)
    publish(store, "127.64.0.2")
    create_slice(store, "127.64.0.3", name="by-hand")
    other = create_slice(store, "127.64.0.4", name="another-port")
    store.update("endpointslices", other | {"ports": [{"name": "admin", "port": PORT, "protocol": "TCP"}]})
    assert proxied(store) == {"127.64.0.2", "127.64.0.3"}


def test_the_api_servers_own_service_is_not_proxied(store: Store, network: Network) -> None:
    address, _ = proxied_service(store, network, port=443)
    publish(store, address, port=10443)
    assert proxied(store) == set()


def test_headless_and_external_services_and_other_protocols_are_not_proxied(store: Store, network: Network) -> None:
    proxied_service(store, network)
    publish(store, "127.64.0.2")
    before = store.get("services", "shop", "web")["spec"]
    for change in ({"clusterIP": "None"}, {"type": "ExternalName"}, {"ports": [{"port": 53, "protocol": "UDP"}]}):
        changed: Object = {"metadata": {"namespace": "shop", "name": "web"}, "spec": before | change}
        store.update("services", changed)
        assert proxied(store) == set()
