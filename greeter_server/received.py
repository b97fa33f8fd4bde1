"""Counts what is received, and says so in the log: one line a second while calls come in, none while they don't."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)


class Received:
    """Calls received and answered since the start; a stream counts as one call.

    Calls that their client gave up, or that the end of the grace cut, are not answered; an error is an answer.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.answered = 0
        self.under_way = 0
        self._recent = 0
        self._peers: set[str] = set()

    @contextmanager
    def call(self, context: "Context") -> Iterator[None]:
        """One call, from its arrival to its end."""
        self.calls += 1
        self.under_way += 1
        self._recent += 1
        self._peers.add(context.peer())
        try:
            yield
            self.answered += 1
        except grpc.aio.AbortError:
            self.answered += 1
            raise
        finally:
            self.under_way -= 1

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
