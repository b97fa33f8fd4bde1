"""`kubectl port-forward`, by the real kubectl."""

import asyncio
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from helloworld import helloworld_pb2, helloworld_pb2_grpc
from lab.conformance.api import Api, Object
from lab.conformance.kubectl import Kubectl, end
from lab.conformance.manifests import GREETER, GRPC_READY, container, names_itself, pod
from lab.conformance.states import ready

WEB = names_itself(readinessProbe={"tcpSocket": {"port": 8000}, "periodSeconds": 1})


class Forwarded:
    """A port of this machine that leads to a pod's."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def ask(self) -> bytes:
        """What the server says until it hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def forwarded(kubectl: Kubectl, port: int) -> AsyncIterator[Forwarded]:
    process = await kubectl.start("port-forward", "--address=127.0.0.1", "pod/web", f":{port}", stdin=PIPE)
    try:
        assert process.stdout
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        found = re.fullmatch(rf"Forwarding from 127\.0\.0\.1:(\d+) -> {port}\n", line)
        assert found, line
        yield Forwarded(process, int(found[1]))
    finally:
        await end(process)


async def start(api: Api, server: Object) -> None:
    await api.create("pods", pod("web", server))
    await api.until_one("pods", "web", ready, "is ready")


async def test_a_thousand_calls_go_over_one_connection(api: Api, kubectl: Kubectl) -> None:
    await start(api, container(GREETER, readinessProbe=GRPC_READY))
    async with forwarded(kubectl, 8000) as local, grpc.aio.insecure_channel(f"127.0.0.1:{local.port}") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        large = "x" * 100_000
        for name in [*(f"caller {i}" for i in range(1000)), large]:
            reply = await stub.SayHello(helloworld_pb2.HelloRequest(name=name), timeout=20)
            assert reply.message == f"Hello {name}"


async def test_each_connection_is_one_to_the_pod(api: Api, kubectl: Kubectl) -> None:
    await start(api, WEB)
    async with forwarded(kubectl, 8000) as local:
        answers = await asyncio.gather(*(local.ask() for _ in range(20)))
        assert answers == [b"web"] * 20


async def test_a_port_where_nobody_listens_ends_it(api: Api, kubectl: Kubectl) -> None:
    await start(api, WEB)
    async with forwarded(kubectl, 8001) as local:
        assert await local.ask() == b""
        _, err = await asyncio.wait_for(local.process.communicate(), 20)
    assert (local.process.returncode, b"connection refused" in err) == (1, True)
    assert err.endswith(b"error: lost connection to pod\n")


async def test_it_does_not_outlive_its_pod(api: Api, kubectl: Kubectl) -> None:
    """Another pod may have its address then."""
    await start(api, WEB)
    async with forwarded(kubectl, 8000) as local:
        assert await local.ask() == b"web"
        await api.delete("pods", "web")
        await api.until_gone("pods", "web")
        assert await local.ask() == b""
        await asyncio.wait_for(local.process.communicate(), 20)
    assert local.process.returncode == 1


async def test_a_connection_ends_with_the_pod(api: Api, kubectl: Kubectl) -> None:
    await start(api, container(GREETER, readinessProbe=GRPC_READY))
    async with forwarded(kubectl, 8000) as local:
        reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
        try:
            assert await asyncio.wait_for(reader.read(9), 20)  # HTTP/2: the server speaks first
            await api.delete("pods", "web")
            await asyncio.wait_for(reader.read(), 40)
        finally:
            writer.close()
