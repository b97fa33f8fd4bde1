"""SIGTERM: health says so, new calls are served for a while, and no call that was accepted is lost."""

import asyncio
import re
import signal
import threading
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import Process, greeter, process

YOU = HelloRequest(name="you")
CALLS = 10_000


async def call_on(channel: grpc.aio.Channel, server: Process, total: int, told_at: int) -> tuple[int, dict[str, int]]:
    """So many calls, 16 at a time over one channel; SIGTERM goes out in their midst. Answered, and failures by code."""
    stub = GreeterStub(channel)
    numbers = iter(range(total))
    answered, failures = 0, dict[str, int]()

    async def work() -> None:
        nonlocal answered
        for number in numbers:
            if number == told_at:
                server.signal(signal.SIGTERM)
            try:
                await stub.SayHello(YOU, timeout=10)
                answered += 1
            except grpc.aio.AioRpcError as error:
                failures[error.code().name] = failures.get(error.code().name, 0) + 1

    await asyncio.gather(*(work() for _ in range(16)))
    return answered, failures


@pytest.mark.parametrize("drain", ["0s", "500ms"])
async def test_every_call_accepted_of_10000_is_answered_while_the_server_is_told_to_stop(drain: str) -> None:
    with greeter(f"--drain={drain}") as (server, address):
        async with grpc.aio.insecure_channel(address) as channel:
            await channel.channel_ready()
            answered, failures = await call_on(channel, server, CALLS, told_at=CALLS // 3)
        assert server.end() == 0
        counted = re.search(r"Stopped: (\d+) calls received, (\d+) answered", server.lines[-1])
    assert counted
    assert int(counted[1]) == int(counted[2]) == answered
    assert answered >= CALLS // 3 - 16  # those under way when it was told
    assert answered + sum(failures.values()) == CALLS


async def test_a_drain_that_outlasts_the_calls_loses_none() -> None:
    with greeter("--drain=5s") as (server, address):
        async with grpc.aio.insecure_channel(address) as channel:
            await channel.channel_ready()
            answered, failures = await call_on(channel, server, 1000, told_at=300)
    assert (answered, failures) == (1000, {})


def test_health_says_not_serving_while_calls_are_still_served() -> None:
    with greeter("--drain=3s") as (server, address), grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        states = health.Watch(health_pb2.HealthCheckRequest(service="helloworld.Greeter"))
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING
        server.signal(signal.SIGTERM)
        assert next(states).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert GreeterStub(channel).SayHello(YOU).message == "Hello you"
        states.cancel()
        server.line("Stopping: ")


@pytest.mark.parametrize(("grace", "codes"), [("10s", {"OK"}), ("100ms", {"CANCELLED", "UNAVAILABLE"})])
def test_a_call_under_way_gets_the_grace_period_and_no_more(grace: str, codes: set[str]) -> None:
    flags = ("--faults", "--drain=0s", f"--grace={grace}")
    with greeter(*flags) as (server, address), grpc.insecure_channel(address) as channel:
        call = GreeterStub(channel).SayHello.future(YOU, metadata=(("fault", "delay=1s"),), timeout=10)
        server.line("Fault asked for")
        server.signal(signal.SIGTERM)
        call.exception()  # waits
        assert call.code().name in codes
        assert server.end() == 0


def test_calls_that_were_given_up_or_cut_are_not_counted_as_answered_and_log_no_traceback() -> None:
    stop = threading.Event()

    def names() -> Iterator[HelloRequest]:
        yield YOU
        stop.wait()

    flags = ("--faults", "--drain=0s", "--grace=200ms")
    with greeter(*flags) as (server, address), grpc.insecure_channel(address) as channel:
        stub = GreeterStub(channel)
        assert stub.SayHello(YOU).message == "Hello you"
        assert stub.SayHello.future(YOU, metadata=(("fault", "error=INTERNAL"),)).code().name == "INTERNAL"
        streams = [stub.SayHelloStream(iter([YOU])), stub.SayHelloStream(names())]
        assert [next(stream).message for stream in streams] == ["Hello you"] * 2
        assert list(streams[0]) == []
        with pytest.raises(grpc.RpcError):
            stub.SayHello(YOU, metadata=(("fault", "hang"),), timeout=0.1)
        cut = [stub.SayHello.future(YOU, metadata=(("fault", f"delay={n}h"),)) for n in (1, 2)]
        for n in (1, 2):
            server.line(f"delay={n}h")
        server.signal(signal.SIGTERM)
        assert server.end() == 0
        stop.set()
        assert {call.code().name for call in cut} <= {"CANCELLED", "UNAVAILABLE"}
    assert "Stopping: 3 calls under way" in "\n".join(server.lines)
    assert server.lines[-1].endswith("Stopped: 7 calls received, 3 answered")
    assert not [line for line in server.lines if "Traceback" in line or " ERROR " in line]


def test_a_client_that_vanishes_leaves_no_traceback_and_its_call_unanswered() -> None:
    with greeter("--faults", "--drain=0s") as (server, address):
        slow = ("--metadata=fault=delay=1h", f"--target={address}", "--count=1", "--deadline=2h")
        with process("clusterip.client", *slow) as client:
            server.line("Fault asked for")
            client.kill()
        server.signal(signal.SIGTERM)
        assert server.end() == 0  # long before the grace of 20 s
    received, answered = map(int, re.findall(r"Stopped: (\d+) calls received, (\d+)", server.lines[-1])[0])
    assert received - answered == 1
    assert not [line for line in server.lines if "Traceback" in line or " ERROR " in line]
