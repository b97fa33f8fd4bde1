"""What a pod that dies, hangs, fails or is not ready costs a client that takes turns, and what helps."""

import json
import signal
import time
from collections.abc import Iterator
from functools import partial

import grpc
import pytest

from client_roundrobin.client import SERVICE_CONFIG, open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing import services
from testing.channels import connect, fault, outcomes
from testing.processes import wait_until

YOU = HelloRequest(name="you")
service = partial(services.service, 3, "--faults", "--max-connection-age=10m")


def reconfigured(target: str, **config: object) -> grpc.Channel:
    """The client's channel with this of its service config changed."""
    return grpc.insecure_channel(target, options=[("grpc.service_config", json.dumps(SERVICE_CONFIG | config))])


RETRIES = [
    {
        "name": [{"service": "helloworld.Greeter"}],
        "retryPolicy": {
            "maxAttempts": 3,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }
]


@pytest.mark.parametrize("retries", [False, True])
def test_a_call_that_dies_with_its_pod_is_run_once_unless_a_retry_policy_runs_it_again(retries: bool) -> None:
    """A lost connection is UNAVAILABLE, whether or not a handler had begun (gRFC A6, grpc/status.h)."""
    with service() as running, reconfigured(running.target, methodConfig=RETRIES if retries else []) as channel:
        connect(channel, 3)

        def begun() -> list[str]:
            return [host for host, server in running.servers.items() if server.said("Fault asked for")]

        call = GreeterStub(channel).SayHello.future(YOU, metadata=(("fault", "delay=1s"),), timeout=20)
        wait_until("a handler that has begun", begun)
        [host] = begun()
        running.servers[host].signal(signal.SIGKILL)
        call.exception()  # waits
        assert (call.code().name, len(begun())) == (("OK", 2) if retries else ("UNAVAILABLE", 1))


def until_gone(channel: grpc.Channel, seconds: float) -> tuple[int, int]:
    """Call until 30 calls in a row were answered, for so many seconds at most: how many failed, and of how many."""
    end, failed, made, good = time.monotonic() + seconds, 0, 0, 0
    while good < 30 and time.monotonic() < end:
        made += 1
        [outcome] = outcomes(channel, 1, deadline=0.3)
        failed, good = (failed + 1, 0) if outcome.isupper() else (failed, good + 1)
    return failed, made


@pytest.mark.parametrize("keepalive_ms", [None, 3000])
def test_every_third_call_to_a_pod_that_hangs_fails_until_a_keepalive_finds_it_dead(keepalive_ms: int | None) -> None:
    with (
        service("--permit-keepalive-time=1s") as running,
        open_channel(running.target, keepalive_ms=keepalive_ms) as channel,
    ):
        connect(channel, 3)
        _, server = running.first
        server.signal(signal.SIGSTOP)
        failed, made = until_gone(channel, seconds=15)
        server.signal(signal.SIGCONT)
    print(f"hang, keepalive {keepalive_ms} ms: {failed} of {made} calls failed")
    if keepalive_ms:
        assert 0 < failed < (made - 30) / 3 + 2
        assert made < 3 * (3 + 2 + 4) / 0.3  # time, timeout, and a busy machine: 0.3 s for each of every three calls
    else:
        assert abs(failed - made / 3) <= 1


@pytest.mark.parametrize("age", ["1s", "10m"])
def test_a_pod_that_hangs_while_its_connections_live_is_left_alone_once_a_connection_has_reached_its_age(
    age: str,
) -> None:
    """gRPC's own threads go on: they end the connection and take a new one, on which nobody answers for health."""
    with service(f"--max-connection-age={age}") as running, open_channel(running.target) as channel:
        connect(channel, 3)
        host, _ = running.first
        fault(f"{host}:{running.port}", fault="hang", fault_for="30s")
        failed, made = until_gone(channel, seconds=12)
    print(f"hang, age {age}: {failed} of {made} calls failed")
    if age == "1s":
        assert failed <= 3
    else:
        assert abs(failed - made / 3) <= 1


def test_c_cores_ping_timeout_decides_when_it_is_longer_than_the_keepalive_timeout() -> None:
    slow = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_timeout_ms", 1000), ("grpc.http2.ping_timeout_ms", 9000)]
    with service("--permit-keepalive-time=500ms") as running:
        config = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
        with grpc.insecure_channel(running.target, options=[*config, *slow]) as channel:
            connect(channel, 3)
            _, server = running.first
            server.signal(signal.SIGSTOP)
            began = time.monotonic()
            until_gone(channel, seconds=30)
            seconds = time.monotonic() - began
            server.signal(signal.SIGCONT)
    assert 8 < seconds < 25


@pytest.mark.parametrize("permitted", [True, False])
def test_a_keepalive_that_the_server_does_not_permit_costs_the_connection_and_a_silent_stream_on_it(
    permitted: bool,
) -> None:
    at_most = "500ms" if permitted else "5m"  # gRPC's default
    with (
        service(f"--permit-keepalive-time={at_most}") as running,
        open_channel(running.target, keepalive_ms=1000) as channel,
    ):
        connect(channel, 3)

        def silence() -> Iterator[HelloRequest]:
            time.sleep(8)
            yield YOU

        stream = GreeterStub(channel).SayHelloStream(silence())
        if permitted:
            assert next(stream).message == "Hello you"
        else:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "Too many pings" in str(caught.value.details())


def test_every_third_call_fails_while_a_pod_answers_errors_and_says_serving() -> None:
    with service() as running, open_channel(running.target) as channel:
        connect(channel, 3)
        host, _ = running.first
        fault(f"{host}:{running.port}", fault="error=INTERNAL", fault_for="60s")
        assert outcomes(channel, 90)["INTERNAL"] == 30


@pytest.mark.parametrize("asked", [True, False])
def test_a_pod_that_is_not_ready_but_connected_is_left_alone_only_where_the_client_asks_for_its_health(
    asked: bool,
) -> None:
    config = SERVICE_CONFIG["healthCheckConfig"] if asked else {}
    with service() as running, reconfigured(running.target, healthCheckConfig=config) as channel:
        connect(channel, 3)
        host, _ = running.first
        fault(f"{host}:{running.port}", fault="unready", fault_for="60s")
        if asked:
            wait_until("calls to stay away", lambda: host not in outcomes(channel, 10))
        running.names.addresses.remove(host)  # as the cluster's DNS does
        counts = outcomes(channel, 90)
    assert counts[host] == (0 if asked else 30)
