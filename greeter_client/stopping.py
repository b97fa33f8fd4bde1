"""Turns SIGTERM and SIGINT into an Event that the loops of calls wait on."""

import queue
import signal
import threading


def stopped_by_signal() -> threading.Event:
    """An Event that SIGTERM or SIGINT sets; to be called in the main thread.

    A thread sets it, for a handler interrupts the main thread anywhere: there it would wait for ever for the Event's
    lock where the main thread holds it just then. A SimpleQueue has no such lock (Python's library reference, `queue`).
    """
    stop = threading.Event()
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        received.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _: received.put(number))
    return stop
