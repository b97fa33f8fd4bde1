"""Ages as Kubernetes writes them: the fewer digits, the longer ago (k8s.io/apimachinery/pkg/util/duration)."""

import math

from lab.apimachinery.timestamps import age

UNKNOWN = "<unknown>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
# Below so many seconds: the unit, and the smaller one that is said with it.
STEPS = (
    (2 * MINUTE, 1, "s", 1, ""),
    (10 * MINUTE, MINUTE, "m", 1, "s"),
    (3 * HOUR, MINUTE, "m", MINUTE, ""),
    (8 * HOUR, HOUR, "h", MINUTE, "m"),
    (2 * DAY, HOUR, "h", HOUR, ""),
    (8 * DAY, DAY, "d", HOUR, "h"),
    (2 * YEAR, DAY, "d", DAY, ""),
    (8 * YEAR, YEAR, "y", DAY, "d"),
    (math.inf, YEAR, "y", YEAR, ""),
)


def since(timestamp: str | None) -> str:
    """How long ago that was."""
    return human(age(timestamp)) if timestamp else UNKNOWN


def human(seconds: float) -> str:
    """`5s`, `119s`, `2m3s`, `45m`, `3h7m`, `26h`, `5d`, `3y40d`."""
    whole = max(int(seconds), 0)
    _, large, name, small, small_name = next(step for step in STEPS if whole < step[0])
    left = whole % large // small
    return f"{whole // large}{name}" + (f"{left}{small_name}" if left else "")
