"""Servers that answer probes oddly, in the kubelet's words; and how many answers in a row it takes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing, suppress
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from lab.apimachinery.store import Object
from lab.kubelet import probes
from lab.kubelet.probes import Kind, ProbeErrored, ProbeFailed, Target, check
from lab.runtime.processes import Process

IP = "127.0.0.1"


async def execute(command: list[str]) -> tuple[int, str]:
    process = await Process.start(command, {"PATH": "/usr/bin:/bin"}, Path("/"))
    try:
        return await process.wait(), process.output
    finally:
        await process.kill()


TARGET = Target(IP, {"ports": [{"name": "web", "containerPort": 8080}, {"containerPort": 1}]}, execute)


async def outcome(probe: Object, seconds: int = 1) -> str:
    """What the probe says, "" for healthy."""
    try:
        await check(probe | {"timeoutSeconds": seconds}, TARGET)
    except ProbeFailed as failure:
        return str(failure)
    return ""


def unused_port() -> int:
    with socket.create_server((IP, 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def test_grpc_fails_without_a_health_service() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port(f"{IP}:0")
    await server.start()
    assert "this server does not implement the grpc health protocol" in await outcome({"grpc": {"port": port}})
    await server.stop(0)


@asynccontextmanager
async def tcp_server(answer: bytes | None) -> AsyncIterator[int]:
    """A server that answers anything with these bytes and hangs up; with None it never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            if await reader.read(1):
                if answer is None:
                    await reader.read()
                writer.write(answer or b"")
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_server(serve, IP, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    async with asyncio.timeout(20):
        await served.wait()


async def test_grpc_fails_at_what_does_not_speak_it() -> None:
    async with tcp_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        failure = await outcome({"grpc": {"port": port}})
    assert failure == f'timeout: failed to connect service "{IP}:{port}" within 1s: context deadline exceeded'


async def test_grpc_notices_a_server_that_comes_up_within_the_timeout() -> None:
    port = unused_port()
    probe = asyncio.create_task(outcome({"grpc": {"port": port}}, seconds=10))
    await asyncio.sleep(0.3)  # it tries in vain
    assert not probe.done()
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"{IP}:{port}")
    await server.start()
    assert await probe == ""
    await server.stop(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", ""),
        (b"", 'Get "{url}": EOF'),
        (None, 'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'),
    ],
)
async def test_http_goes_by_the_first_answer(answer: bytes | None, why: str) -> None:
    async with tcp_server(answer) as port:
        failure = await outcome({"httpGet": {"port": port, "path": "/", "scheme": "HTTP"}})
    assert failure == why.format(url=f"http://{IP}:{port}/")


async def test_a_probe_that_cannot_be_made_says_nothing_of_the_container() -> None:
    with pytest.raises(ProbeErrored, match='exec: "nosuch": executable file not found in'):
        await check({"exec": {"command": ["nosuch"]}, "timeoutSeconds": 1}, TARGET)
    with pytest.raises(ProbeErrored, match=r'strconv\.Atoi: parsing "nosuch": invalid syntax'):
        await check({"tcpSocket": {"port": "nosuch"}, "timeoutSeconds": 1}, TARGET)


def test_ports_are_named_and_low_ones_moved() -> None:
    assert (TARGET.port("web"), TARGET.port(80), TARGET.port(8000)) == (8080, 10080, 8000)


class Spent(Exception):
    """There are no more outcomes."""


async def believed(kind: Kind, outcomes: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bool], int]:
    """The results that come of `+` success, `-` failure, `?` error; and how often something was called unhealthy."""
    left, found, complaints = iter(outcomes), list[bool](), list[str]()

    async def check(probe: Object, target: Target) -> None:
        match next(left, ""):
            case "-":
                raise ProbeFailed("no")
            case "?":
                raise ProbeErrored("what")
            case "":
                raise Spent

    monkeypatch.setattr(probes, "check", check)
    probe = {"periodSeconds": 0, "successThreshold": 1, "failureThreshold": 3}
    with suppress(Spent):
        async for result in probes.results(kind, probe, TARGET, 0, complaints.append):
            found.append(result)
    return found, len(complaints)


@pytest.mark.parametrize(
    ("kind", "outcomes", "expected", "told"),
    [
        (Kind.READINESS, "+++", [True], 0),
        (Kind.READINESS, "---", [], 3),  # it wasn't ready before
        (Kind.READINESS, "+--+--", [True], 4),
        (Kind.READINESS, "+---+", [True, False, True], 3),
        (Kind.READINESS, "+--?-", [True, False], 4),
        (Kind.LIVENESS, "+++", [], 0),  # it was alive before
        (Kind.LIVENESS, "+--+--+", [], 4),
        (Kind.LIVENESS, "---+", [False], 3),  # and that's the end of it
        (Kind.LIVENESS, "????", [], 4),
        (Kind.STARTUP, "--+-", [True], 2),
        (Kind.STARTUP, "---+", [False], 3),
    ],
)
async def test_thresholds_are_counted_in_a_row(
    kind: Kind, outcomes: str, expected: list[bool], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await believed(kind, outcomes, monkeypatch) == (expected, told)


async def test_the_first_probe_waits_for_its_initial_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []

    async def note(probe: Object, target: Target) -> None:
        times.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(probes, "check", note)
    probe = {"initialDelaySeconds": 1, "periodSeconds": 1, "successThreshold": 1, "failureThreshold": 1}
    now = asyncio.get_running_loop().time()
    async with aclosing(probes.results(Kind.STARTUP, probe, TARGET, now - 0.8, print)) as results:
        assert [result async for result in results] == [True]
    assert 0.15 < times[0] - now < 0.9
