"""Pauses before the API is asked again, and for how long it may be away."""

from asyncio import sleep
from time import monotonic

from endpoint_watch import backoff

BEARABLE = 30.0  # seconds that the API may be away, of its restart say, before that is an error


class Backoff:
    def __init__(self) -> None:
        self._pauses = backoff.Backoff(monotonic)
        self._away: float | None = None  # since when

    def answered(self) -> None:
        """The API is not away, or no longer."""
        self._away = None

    async def pause(self, error: Exception | None = None) -> None:
        """Wait. `error` says that the API is away, and is raised where it has been for too long."""
        if error:
            self._away = self._away or monotonic()
            if monotonic() > self._away + BEARABLE:
                raise error
        await sleep(self._pauses.pause())
