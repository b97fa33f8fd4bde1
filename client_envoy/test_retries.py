"""What Envoy tries again, and that it runs nothing twice unless it is told that it may."""

import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import yaml

from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, outcomes
from testing.client_envoy import Pods, cluster, pods, retry_policy, stats, virtual_host, without
from testing.envoy import Config
from testing.processes import wait_until

README = Path(__file__).parent / "README.md"
RUN = "Fault asked for"  # what a handler logs that has begun a call with a fault
REFUSED = (("fault", "error=UNAVAILABLE"),)
SOON_GONE = ("--drain=1ms",)


def runs(running: Pods) -> int:
    """How many times a handler has begun a call with a fault. The servers have ended then."""
    for server in running.servers.values():
        server.signal(signal.SIGTERM)
    for server in running.servers.values():
        server.end()
    return sum(RUN in line for server in running.servers.values() for line in server.lines)


def kill(running: Pods, count: int) -> None:
    """Kill so many servers, and wait until Envoy has noticed that their connections are gone.

    A dying server may lose its connections before its port: a call on a new one could have reached it.
    """
    connections = "cluster.greeter-server.upstream_cx_active"
    before = stats(running.envoy)[connections]
    for server in list(running.servers.values())[:count]:
        server.kill()
    wait_until("connections to end", lambda: stats(running.envoy)[connections] == before - count)


def retry_on(more: str) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        retry_policy(config)["retry_on"] += more

    return change


@pytest.mark.parametrize(("more", "times"), [("", 2), (",reset", 3)])
def test_a_call_whose_handler_had_begun_when_its_server_was_killed_is_run_again_only_where_that_is_asked_for(
    more: str, times: int
) -> None:
    with pods(2, change=retry_on(more), flags=SOON_GONE) as running, running.channel() as channel:
        connect(channel, 2)
        stub = GreeterStub(channel)
        calls = [
            stub.SayHello.future(HelloRequest(name="you"), timeout=15, metadata=(("fault", "delay=3s"),))
            for _ in running.servers
        ]
        for server in running.servers.values():
            server.line(RUN)
        next(iter(running.servers.values())).signal(signal.SIGKILL)
        ends = sorted((call.code().name, call.details() or "") for call in calls)
        assert runs(running) == times
    assert [code for code, _ in ends] == ["OK", "OK" if more else "UNAVAILABLE"]
    assert more or "connection termination" in ends[1][1]


@pytest.mark.parametrize(("more", "times"), [("", 1), (",unavailable", 3)])
def test_a_call_that_a_handler_answered_with_unavailable_is_run_again_only_where_that_is_asked_for(
    more: str, times: int
) -> None:
    with pods(3, change=retry_on(more), flags=SOON_GONE) as running, running.channel() as channel:
        connect(channel, 3)
        call = greet(GreeterStub(channel), "you", 5, REFUSED)
        assert (call.code, call.attempts) == ("UNAVAILABLE", times)
        assert runs(running) == times


def test_the_readmes_route_for_an_idempotent_method_has_that_tried_again_and_no_other() -> None:
    def change(config: Config) -> None:
        [block] = re.findall(r"```yaml\n(- match: .*?)```", README.read_text(), re.DOTALL)
        virtual_host(config)["routes"][:0] = yaml.safe_load(block)

    with pods(3, change=change, flags=SOON_GONE) as running, running.channel() as channel:
        connect(channel, 3)
        stub = GreeterStub(channel)
        assert greet(stub, "you", 5, REFUSED).attempts == 2
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            list(stub.SayHelloStream(iter(()), timeout=5, metadata=REFUSED))
        assert runs(running) == 2 + 1


def test_calls_that_reach_nobody_are_tried_on_another_server_and_the_client_counts_the_attempts() -> None:
    with pods(2, change=without("health_checks", "outlier_detection")) as running, running.channel() as channel:
        connect(channel, 2)
        kill(running, 1)
        calls = [greet(GreeterStub(channel), "you", 2) for _ in range(20)]
        retried = stats(running.envoy)["cluster.greeter-server.upstream_rq_retry"]
    assert [call.code for call in calls] == ["OK"] * 20
    assert sum(call.attempts for call in calls) == 20 + retried > 20


@pytest.mark.parametrize("few", [False, True])
def test_with_two_of_three_killed_no_call_of_many_at_a_time_fails_unless_few_retries_are_allowed(few: bool) -> None:
    def change(config: Config) -> None:
        without("health_checks", "outlier_detection")(config)  # which would soon leave nothing to retry
        if few:
            cluster(config)["circuit_breakers"]["thresholds"][0]["max_retries"] = 3  # Envoy's default

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        kill(running, 2)
        with ThreadPoolExecutor(20) as callers:
            failed = sum(counts["UNAVAILABLE"] for counts in callers.map(lambda _: outcomes(channel, 10, 5), range(20)))
        refused = stats(running.envoy).get("cluster.greeter-server.upstream_rq_retry_overflow", 0)
    print(f"two of three killed, max_retries {3 if few else 1024}: {failed} of 200 calls failed")
    assert (failed, failed > 0) == (refused, few)
