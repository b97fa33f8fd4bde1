"""How long a container that keeps ending waits to be started again: not at first, then 10 s, doubled up to 5 min.

Stands for flowcontrol.Backoff of client-go as the kubelet uses it.
"""

import asyncio
import math

FIRST, LONGEST = 10.0, 300.0  # seconds
RESET = 2 * LONGEST  # a container that ran for so long starts afresh


class RestartBackoff:
    """One container's back-off."""

    def __init__(self) -> None:
        self._delay = 0.0
        self._updated = -math.inf

    def delay(self, ended: float) -> float:
        """How many seconds after its end, by the loop's clock, a container may start again."""
        return self._delay if ended - self._updated <= RESET else 0.0

    def next(self, ended: float) -> None:
        """Take note that it is started again after this end."""
        self._delay = min(self.delay(ended) * 2 or FIRST, LONGEST)
        self._updated = asyncio.get_running_loop().time()


def go_duration(seconds: float) -> str:
    """`10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
