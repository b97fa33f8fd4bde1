"""Who gets calls through the Envoy of the manifest, and what it tells of them."""

import time

import pytest

from client_envoy.client import open_channel
from greeter_client.calls import greet
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, outcomes
from testing.client_envoy import as_it_is, pods, stats, without
from testing.processes import wait_until


def test_calls_over_one_channel_take_turns_to_the_call() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
    assert counts.keys() == running.servers.keys()
    assert all(abs(count - 100) <= 1 for count in counts.values()), counts


def test_the_same_client_without_envoy_stays_with_one_backend() -> None:
    with pods(3) as running:
        targets = ",".join(f"{host}:{running.port}" for host in running.servers)
        with open_channel(f"ipv4:{targets}") as channel:
            counts = outcomes(channel, 30)
    assert list(counts.values()) == [30], counts


def test_with_several_workers_each_channel_is_even_by_itself() -> None:
    """Each connection belongs to one worker, and each worker has a rotation of its own."""
    with pods(3, concurrency=4) as running:
        for _ in range(4):
            with running.channel() as channel:
                connect(channel, 3)
                counts = outcomes(channel, 150)
            assert all(abs(count - 50) <= 1 for count in counts.values()), counts


def test_a_host_that_dns_names_from_now_on_gets_calls_within_the_refresh() -> None:
    with pods(3, named=2) as running, running.channel() as channel:
        connect(channel, 2)
        new = list(running.servers)[2]
        assert new not in outcomes(channel, 30)
        running.names.addresses.append(new)
        began = time.monotonic()
        wait_until("calls of the new host", lambda: new in outcomes(channel, 3))
        assert time.monotonic() - began < 8 + 4  # as expectations.toml has it, and a busy machine


@pytest.mark.parametrize("dropped", [True, False])
def test_a_healthy_host_that_dns_names_no_more_gets_no_calls_unless_health_alone_decides(dropped: bool) -> None:
    change = as_it_is if dropped else without("ignore_health_on_host_removal")
    with pods(2, change=change) as running, running.channel() as channel:
        connect(channel, 2)
        gone = running.names.addresses.pop()
        answers = "cluster.greeter-server.update_success"
        before = stats(running.envoy)[answers]
        wait_until("two more answers of DNS", lambda: stats(running.envoy)[answers] > before + 1)
        assert (gone in outcomes(channel, 30)) != dropped


def test_a_deadline_reaches_envoy_which_ends_the_call_by_it() -> None:
    with pods(1, change=without("health_checks")) as running, running.channel() as channel:
        connect(channel, 1)
        running.fault(next(iter(running.servers)), fault="delay=5s", fault_for="60s")
        assert outcomes(channel, 1, deadline=0.5) == {"DEADLINE_EXCEEDED": 1}
        wait_until("the access log", lambda: " OK " not in running.envoy.log.splitlines()[-1])
        *_, last = running.envoy.log.splitlines()
    assert last.split()[1] in ("-", "DeadlineExceeded")  # the client hung up, or Envoy was first
    assert 400 <= int(last.split("ms ")[0].rpartition(" ")[2]) < 3000


def test_the_access_log_has_status_host_and_attempts() -> None:
    with pods(1) as running, running.channel() as channel:
        outcomes(channel, 1, deadline=5)
        host = next(iter(running.servers))
        line = f"/helloworld.Greeter/SayHello OK {host}:{running.port} attempts=1 "
        wait_until("the access log", lambda: line in running.envoy.log)


def test_where_dns_knows_no_backend_a_call_fails_at_once_with_the_reason() -> None:
    with pods(1, named=0) as running, running.channel() as channel:
        call = greet(GreeterStub(channel), "you", 5)
    assert (call.code, call.details) == ("UNAVAILABLE", "no healthy upstream")
    assert call.latency < 2
