"""Counts what is received, and says so in the log: one line a second while calls come in, none while they don't."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class Received:
    """Calls received and answered since the start; a stream counts as one call."""

    def __init__(self) -> None:
        self.calls = 0
        self.answered = 0
        self._recent = 0
        self._peers: set[str] = set()

    @property
    def under_way(self) -> int:
        return self.calls - self.answered

    @contextmanager
    def call(self, peer: str) -> Iterator[None]:
        """One call, from its arrival to its answer."""
        self.calls += 1
        self._recent += 1
        self._peers.add(peer)
        try:
            yield
        finally:
            self.answered += 1

    async def report(self) -> None:
        """Log a summary each second in which calls came in, until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.summarize()

    def summarize(self) -> None:
        if self._recent:
            log.info("Received %d calls on %d connection(s), %d in all", self._recent, len(self._peers), self.calls)
        self._recent = 0
        self._peers.clear()
