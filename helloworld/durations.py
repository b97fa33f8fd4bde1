"""Durations as Go writes them (30s, 1m30s, 500ms), the form that Kubernetes users type: of every flag and variable."""

import re

PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

# One limit for all: gRPC counts in milliseconds, in 32 bits, of which the highest is "for ever" to it; and Python's
# own waits end somewhere, too. Nobody means to wait for weeks.
LONGEST = 596 * 3600.0


def seconds(text: str) -> float:
    """Seconds, 0 or more. Raises ValueError with what is wrong and a remedy, to follow "it is"."""
    if not re.fullmatch(rf"\+?(0|({PART})+)", text):
        raise ValueError("not a duration; write 30s, 1m30s or 500ms")
    value = sum(float(number) * UNITS[unit] for number, unit in re.findall(PART, text))
    if value > LONGEST:
        raise ValueError("too long; write 596h at most")
    return value
