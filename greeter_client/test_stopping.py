"""A signal is heeded wherever it interrupts the main thread."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from greeter_client.command import stopped_by_signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """This process's own are as before in the end."""
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_that_interrupts_a_wait_at_any_point_ends_it(signum: signal.Signals) -> None:
    """With a handler that sets the Event itself, a part of these hang: the signal finds the Event's lock taken."""
    for tenth_of_ms in range(100):
        stop = stopped_by_signal()
        threading.Timer(tenth_of_ms / 10_000, os.kill, (os.getpid(), signum)).start()
        while not stop.wait(0):
            pass
