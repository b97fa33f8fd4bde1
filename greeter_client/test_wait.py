"""An init container's wait: until a server is ready, or for so long; told to stop, it stops."""

import signal

from testing.dns import dns
from testing.processes import greeter, process, wait_until

WAIT = "greeter_client.wait"


def test_it_waits_for_a_server_that_comes_later_and_says_so() -> None:
    with greeter() as (server, address):
        server.kill()
        with process(WAIT, f"--target={address}", "--timeout=1m") as waiting:
            with greeter(address=address):
                assert waiting.end() == 0
            assert waiting.lines[-1] == f"A server at {address} is ready"


def test_it_asks_for_a_name_that_is_not_there_yet_again_and_again_without_growing_pauses() -> None:
    """gRPC's own would be 43 s long in all until the eighth question."""
    with greeter() as (_, address), dns([]) as names:
        host, _, port = address.rpartition(":")
        target = f"dns://{names.server}/greeter-server.test.:{port}"  # the dot: no search domain is tried
        with process(WAIT, f"--target={target}", "--timeout=2m") as waiting:
            wait_until("eight questions", lambda: len(names.asked) >= 8, timeout=35)
            names.addresses = [host]
            assert waiting.end() == 0
            assert waiting.lines[-1] == f"A server at {target} is ready"


def test_it_lets_the_client_start_where_none_comes_in_time_and_says_why_none_did() -> None:
    with greeter() as (server, address):
        server.kill()
        with process(WAIT, f"--target={address}", "--timeout=300ms") as waiting:
            assert waiting.end() == 0
    assert waiting.lines[-1].startswith(f"No server at {address} was ready in 0.3s (last: UNAVAILABLE: ")
    assert waiting.lines[-1].endswith("; going on")


def test_a_server_that_is_not_serving_is_none() -> None:
    with greeter("--drain=10s") as (server, address):
        server.signal(signal.SIGTERM)
        server.line("Told to stop")
        with process(WAIT, f"--target={address}", "--timeout=300ms") as waiting:
            assert waiting.end() == 0
    assert "(last: NOT_SERVING); going on" in waiting.lines[-1]


def test_told_to_stop_it_ends_long_before_its_time() -> None:
    with process(WAIT, "--target=127.0.0.1:1", "--timeout=10m") as waiting:
        waiting.line("^Waiting for a server at 127.0.0.1:1")
        waiting.signal(signal.SIGTERM)
        assert waiting.end() == 0
