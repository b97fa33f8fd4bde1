"""The client takes turns among the pods that DNS names, and finds new ones when age and cooldown let it."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from client_roundrobin.client import open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from tests.dns import Names, dns
from tests.processes import Process, greeters, wait_until

MODULE = "client_roundrobin.server"


@contextmanager
def service(pods: int, named: int, **env: str) -> Iterator[tuple[list[tuple[Process, str]], Names, str]]:
    """So many servers, of which DNS names the first few; and the target to dial."""
    with greeters(pods, module=MODULE, **env) as servers:
        hosts = [address.rpartition(":")[0] for _, address in servers]
        port = servers[0][1].rpartition(":")[2]
        with dns(hosts[:named]) as names:
            yield (
                [(server, host) for (server, _), host in zip(servers, hosts, strict=True)],
                names,
                (f"dns://{names.server}/greeter-server:{port}"),
            )


def call(channel: grpc.Channel) -> str:
    return GreeterStub(channel).SayHello(HelloRequest(name="you"), timeout=10).backend_ip


def connect(channel: grpc.Channel, backends: int) -> None:
    """Call until so many backends have answered: all are connected then."""
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.add(call(channel))
        return len(seen) == backends

    wait_until(f"{backends} backends", all_seen)


def test_calls_take_turns_to_the_call() -> None:
    with service(3, 3, GRPC_MAX_CONNECTION_AGE="10m") as (servers, _, target), open_channel(target) as channel:
        connect(channel, 3)
        counts = Counter(call(channel) for _ in range(300))
    assert sorted(counts) == sorted(host for _, host in servers)
    assert all(abs(count - 100) <= 1 for count in counts.values()), counts


def test_a_pod_told_to_stop_gets_no_more_calls_while_it_would_still_serve_them() -> None:
    with service(2, 2, GRPC_MAX_CONNECTION_AGE="10m") as (servers, _, target), open_channel(target) as channel:
        connect(channel, 2)
        server, host = servers[0]
        server.signal(signal.SIGTERM)
        wait_until("calls to stay away", lambda: host not in {call(channel) for _ in range(10)}, timeout=2)
        assert not [line for line in server.lines if "Stopping" in line]


def first_call_to_a_new_pod(age: str, cooldown_ms: int) -> tuple[float, list[float]]:
    """Seconds from the moment that DNS names a second pod to the first call it gets; when DNS was asked since."""
    with (
        service(2, 1, GRPC_MAX_CONNECTION_AGE=age) as (servers, names, target),
        open_channel(target, dns_cooldown_ms=cooldown_ms) as channel,
    ):
        call(channel)
        named = time.monotonic()
        names.addresses = [host for _, host in servers]
        wait_until("a call to the new pod", lambda: call(channel) == servers[1][1], timeout=45)
        return time.monotonic() - named, [asked - named for asked in names.asked if asked > named]


def test_a_new_pod_is_found_within_connection_age_and_cooldown() -> None:
    seconds, _ = first_call_to_a_new_pod(age="1s", cooldown_ms=500)
    assert seconds < 1.1 + 0.5 + 4  # and a busy machine


def test_with_grpcs_default_cooldown_of_30_s_connection_age_alone_finds_it_no_sooner() -> None:
    seconds, asked = first_call_to_a_new_pod(age="2s", cooldown_ms=30_000)
    assert 29 <= seconds <= 36
    assert len(asked) == 1


def test_without_a_connection_age_a_new_pod_is_not_found() -> None:
    with service(2, 1, GRPC_MAX_CONNECTION_AGE="10m") as (servers, names, target), open_channel(target, 100) as channel:
        call(channel)
        names.addresses = [host for _, host in servers]
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert call(channel) == servers[0][1]


def test_no_call_fails_when_connections_end_of_old_age() -> None:
    with service(2, 2, GRPC_MAX_CONNECTION_AGE="200ms") as (_, _, target), open_channel(target) as channel:
        connect(channel, 2)
        for _ in range(500):  # over some 10 ends of connections
            call(channel)
