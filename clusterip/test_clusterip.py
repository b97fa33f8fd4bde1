"""One channel to one address sticks to one connection: on loopback here, through kube-proxy on a cluster."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from clusterip.client import open_channel
from testing.channels import connect, fault, outcomes
from testing.processes import Process, wait_until
from testing.services import Service, service


@contextmanager
def pinned(*args: str) -> Iterator[tuple[Service, grpc.Channel, str, Process]]:
    """Three servers, a channel that has called one of them, and which."""
    with service(3, *args) as running, open_channel(running.target) as channel:
        connect(channel, 1)
        [host] = outcomes(channel, 1)
        yield running, channel, host, running.servers[host]


def test_all_calls_go_to_one_backend_even_where_the_name_has_three() -> None:
    with pinned() as (_, channel, host, _):
        assert outcomes(channel, 300) == {host: 300}


def test_only_the_death_of_its_backend_moves_the_channel() -> None:
    with pinned() as (_, channel, first, server):
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        server.kill()
        # A call that is sent before the channel sees the death is lost with the connection.
        wait_until("the channel sees it", lambda: states and states[-1] is not grpc.ChannelConnectivity.READY)
        [second] = outcomes(channel, 50)
        assert second != first


def test_every_call_fails_while_its_backend_hangs() -> None:
    with pinned() as (_, channel, _, server):
        server.signal(signal.SIGSTOP)
        assert outcomes(channel, 10, deadline=0.3) == {"DEADLINE_EXCEEDED": 10}
        server.signal(signal.SIGCONT)


@pytest.mark.parametrize(("asked", "outcome"), [("error=INTERNAL", "INTERNAL"), ("unready", "")])
def test_every_call_goes_on_to_its_backend_while_that_answers_errors_or_is_not_ready(asked: str, outcome: str) -> None:
    with pinned("--faults") as (running, channel, host, _):
        fault(f"{host}:{running.port}", fault=asked, fault_for="60s")
        running.names.addresses.remove(host)  # as the cluster's DNS does with a pod that is not ready
        assert outcomes(channel, 30) == {outcome or host: 30}
