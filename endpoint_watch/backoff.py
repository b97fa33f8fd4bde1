"""Pauses between two tries, as client-go's reflector makes them (k8s.io/client-go/tools/cache/reflector.go)."""

import random
from collections.abc import Callable
from time import monotonic

FIRST, LONGEST = 0.8, 30.0  # seconds; each pause is twice the last, and up to twice as long by jitter
HEALTHY = 120.0  # seconds without a failure, after which the pauses begin anew


class Backoff:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pause = FIRST
        self._last = 0.0  # when a pause was to end

    def pause(self) -> float:
        """Seconds to wait before the next try."""
        now = self._clock()
        if now > self._last + HEALTHY:
            self._pause = FIRST
        pause = self._pause * (1 + random.random())  # noqa: S311  no secret
        self._pause = min(2 * self._pause, LONGEST)
        self._last = now + pause
        return pause
