"""The client takes turns among the pods that DNS names, and finds new ones when age and cooldown let it."""

import signal
import time

from client_roundrobin.client import open_channel
from testing.channels import connect, outcomes
from testing.processes import wait_until
from testing.services import service


def test_calls_take_turns_to_the_call() -> None:
    with service(3, "--max-connection-age=10m") as running, open_channel(running.target) as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
    assert counts.keys() == running.servers.keys()
    assert all(abs(count - 100) <= 1 for count in counts.values()), counts


def test_a_pod_told_to_stop_gets_no_more_calls_while_it_would_still_serve_them() -> None:
    with service(2, "--max-connection-age=10m") as running, open_channel(running.target) as channel:
        connect(channel, 2)
        host, server = running.first
        server.signal(signal.SIGTERM)
        wait_until("calls to stay away", lambda: host not in outcomes(channel, 10), timeout=2)
        assert not [line for line in server.lines if "Stopping" in line]


def first_call_to_a_new_pod(age: str, cooldown_ms: int) -> tuple[float, list[float]]:
    """Seconds from the moment that DNS names a second pod to the first call it gets; when DNS was asked since."""
    with (
        service(2, f"--max-connection-age={age}", named=1) as running,
        open_channel(running.target, dns_cooldown_ms=cooldown_ms) as channel,
    ):
        connect(channel, 1)
        _, new = running.servers
        named = time.monotonic()
        running.names.addresses.append(new)
        wait_until("a call to the new pod", lambda: new in outcomes(channel, 1), timeout=45)
        return time.monotonic() - named, [asked - named for asked in running.names.asked if asked > named]


def test_a_new_pod_is_found_within_connection_age_and_cooldown() -> None:
    seconds, _ = first_call_to_a_new_pod(age="1s", cooldown_ms=500)
    assert seconds < 1.1 + 0.5 + 4  # and a busy machine


def test_with_grpcs_default_cooldown_of_30_s_connection_age_alone_finds_it_no_sooner() -> None:
    seconds, asked = first_call_to_a_new_pod(age="2s", cooldown_ms=30_000)
    assert 29 <= seconds <= 36
    assert len(asked) == 1


def test_without_a_connection_age_a_new_pod_is_not_found() -> None:
    with (
        service(2, "--max-connection-age=10m", named=1) as running,
        open_channel(running.target, dns_cooldown_ms=100) as channel,
    ):
        connect(channel, 1)
        old, new = running.servers
        running.names.addresses.append(new)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert outcomes(channel, 1) == {old: 1}


def test_no_call_fails_when_connections_end_of_old_age() -> None:
    with service(2, "--max-connection-age=200ms") as running, open_channel(running.target) as channel:
        connect(channel, 2)
        counts = outcomes(channel, 500)  # over some 10 ends of connections
    assert counts.keys() == running.servers.keys()
