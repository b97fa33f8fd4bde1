"""A backend breaks on request, for one call or for a while; without --faults it never does."""

import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import greeter

YOU = HelloRequest(name="you")


def code(stub: GreeterStub, *metadata: tuple[str, str], timeout: float = 10) -> str:
    try:
        stub.SayHello(YOU, metadata=metadata, timeout=timeout)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_a_fault_hits_the_call_that_asks_for_it_and_no_other() -> None:
    with greeter("--faults") as (_, address), grpc.insecure_channel(address) as channel:
        stub = GreeterStub(channel)
        assert code(stub, ("fault", "error=RESOURCE_EXHAUSTED")) == "RESOURCE_EXHAUSTED"
        assert code(stub, ("fault", "hang"), timeout=0.3) == "DEADLINE_EXCEEDED"
        began = time.monotonic()
        assert code(stub, ("fault", "delay=300ms")) == "OK"
        assert time.monotonic() - began >= 0.3
        assert code(stub) == "OK"


def test_a_lasting_error_fails_every_call_until_its_time_is_over_while_health_serves() -> None:
    with greeter("--faults") as (_, address), grpc.insecure_channel(address) as channel:
        stub = GreeterStub(channel)
        began = time.monotonic()
        code(stub, ("fault", "error=INTERNAL"), ("fault-for", "2s"))
        assert code(stub) == "INTERNAL"
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        while code(stub) == "INTERNAL":
            assert time.monotonic() < began + 10
        assert time.monotonic() - began >= 2


def test_a_lasting_hang_stops_health_too() -> None:
    with greeter("--faults") as (_, address), grpc.insecure_channel(address) as channel:
        code(GreeterStub(channel), ("fault", "hang"), ("fault-for", "2s"), timeout=0.2)
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_unready_makes_the_greeters_health_say_so_for_its_time_while_calls_are_answered_and_the_server_is_well() -> (
    None
):
    with greeter("--faults") as (_, address), grpc.insecure_channel(address) as channel:
        stub, health = GreeterStub(channel), health_pb2_grpc.HealthStub(channel)
        assert code(stub, ("fault", "unready"), ("fault-for", "2s")) == "OK"
        states = health.Watch(health_pb2.HealthCheckRequest(service="helloworld.Greeter"), timeout=10)
        assert next(states).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        assert code(stub) == "OK"
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING


def test_a_crash_takes_the_process_down() -> None:
    with greeter("--faults") as (server, address), grpc.insecure_channel(address) as channel:
        assert code(GreeterStub(channel), ("fault", "crash")) == "UNAVAILABLE"
        assert server.end() == 1


@pytest.mark.parametrize("fault", ["nonsense", "error=NONSENSE", "error=OK", "delay=long", "delay=720h", "unready"])
def test_a_fault_that_is_none_is_refused_with_what_can_be_asked_for(fault: str) -> None:
    with greeter("--faults") as (_, address), grpc.insecure_channel(address) as channel:
        assert code(GreeterStub(channel), ("fault", fault)) == "INVALID_ARGUMENT"


def test_without_the_flag_no_fault_is_obeyed() -> None:
    with greeter() as (_, address), grpc.insecure_channel(address) as channel:
        assert code(GreeterStub(channel), ("fault", "crash")) == "OK"
        assert code(GreeterStub(channel), ("fault", "error=INTERNAL")) == "OK"
