"""Reading Kubernetes' timestamps, which store.now() writes."""

import datetime
import time


def epoch(timestamp: str) -> float:
    """A timestamp in seconds since 1970."""
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def age(timestamp: str) -> float:
    """Seconds from a timestamp until now."""
    return time.time() - epoch(timestamp)
