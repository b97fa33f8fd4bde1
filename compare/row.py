"""One strategy's results: the figures as they were measured, and the verdict on them."""

from dataclasses import dataclass, field
from typing import Any

from catalogue import Demo


def last_first_call(figures: dict[str, Any]) -> float | None:
    """Seconds until the last of the new pods got its first call; None where one got none."""
    after = figures["first_call_after_s"]
    return None if len(after) < len(figures["ready"]) else float(max(after.values()))


@dataclass
class Row:
    """`spread`, `scale_out` and the drills are what compare.trial gives; absent where they were not reached."""

    demo: Demo
    spread: dict[str, Any] | None = None
    scale_out: dict[str, Any] | None = None
    drills: dict[str, dict[str, Any]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)  # what was expected and not seen
    error: str = ""  # why it could not be measured to the end

    @property
    def met(self) -> bool:
        """Whether it has shown all that it was to show."""
        return not self.missed and not self.error

    @property
    def calls(self) -> list[int]:
        """Calls of each pod in the spread, the busiest first."""
        if not self.spread:
            return []
        got = self.spread["client"]["backends"]
        return sorted((got[pod]["calls"] if pod in got else 0 for pod in self.spread["pods"]), reverse=True)

    @property
    def fairness(self) -> float | None:
        """Jain's index over all pods, idle ones included; None where nothing was called."""
        squares = sum(count * count for count in self.calls)
        return sum(self.calls) ** 2 / (len(self.calls) * squares) if squares else None

    @property
    def overhead(self) -> dict[str, float] | None:
        """p50 and p99 over those of direct channels."""
        return self.spread["client"]["direct"]["ratio"] if self.spread else None

    @property
    def new_share(self) -> float | None:
        return self.scale_out["share_of_new_pods"] if self.scale_out else None

    @property
    def soon(self) -> float | None:
        """Seconds until the last of the new pods got its first call; None where one got none."""
        return last_first_call(self.scale_out) if self.scale_out else None

    def json(self) -> dict[str, Any]:
        return {
            "strategy": self.demo.name,
            "picks": self.demo.expectations["picks"],
            "expectations": self.demo.expectations,
            "calls_per_pod": self.calls,
            "fairness": self.fairness,
            "overhead": self.overhead,
            "spread": self.spread,
            "scale_out": self.scale_out,
            "drills": self.drills,
            "missed": self.missed,
            "error": self.error,
        }
