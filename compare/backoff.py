"""Pauses before the API is asked again, as client-go's reflector makes them; its numbers."""

import random
from asyncio import sleep
from time import monotonic

FIRST, LONGEST = 0.8, 30.0  # seconds; each pause is twice the last, and up to twice as long by jitter
HEALTHY = 120.0  # seconds without a failure, after which the pauses begin anew
BEARABLE = 30.0  # seconds that the API may be away, of its restart say, before that is an error


class Backoff:
    def __init__(self) -> None:
        self._pause = FIRST
        self._last = 0.0  # when it was needed, by monotonic()
        self._away: float | None = None  # since when

    def answered(self) -> None:
        """The API is not away, or no longer."""
        self._away = None

    async def pause(self, error: Exception | None = None) -> None:
        """Wait. `error` says that the API is away, and is raised where it has been for too long."""
        now = monotonic()
        if error:
            self._away = self._away or now
            if now > self._away + BEARABLE:
                raise error
        if now > self._last + HEALTHY:
            self._pause = FIRST
        await sleep(self._pause * (1 + random.random()))  # noqa: S311  no secret
        self._pause = min(2 * self._pause, LONGEST)
        self._last = monotonic()
