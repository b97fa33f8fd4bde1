"""Ages as Kubernetes writes them: the fewer digits, the longer ago (k8s.io/apimachinery/pkg/util/duration)."""

from lab.apimachinery.timestamps import age

UNKNOWN = "<unknown>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def since(timestamp: str | None) -> str:
    """How long ago that was."""
    return human(age(timestamp)) if timestamp else UNKNOWN


def human(seconds: float) -> str:
    """`5s`, `119s`, `2m3s`, `45m`, `3h7m`, `26h`, `5d`, `3y40d`."""
    s = int(seconds)
    if s < -1:
        return "<invalid>"
    if s < 2 * MINUTE:
        return f"{max(s, 0)}s"
    if s < 10 * MINUTE:
        return _two(s, MINUTE, "m", 1, "s")
    if s < 3 * HOUR:
        return f"{s // MINUTE}m"
    if s < 8 * HOUR:
        return _two(s, HOUR, "h", MINUTE, "m")
    if s < 2 * DAY:
        return f"{s // HOUR}h"
    if s < 8 * DAY:
        return _two(s, DAY, "d", HOUR, "h")
    if s < 2 * YEAR:
        return f"{s // DAY}d"
    return _two(s, YEAR, "y", DAY, "d") if s < 8 * YEAR else f"{s // YEAR}y"


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")
