"""One strategy's results: the figures as they were measured, and what was expected of them (expectations.toml).

A miss states what was seen and what was expected.
"""

from dataclasses import dataclass, field
from typing import Any

from catalogue import Demo
from compare.trial import ATTEMPTS
from greeter_client.result import jain

Figures = dict[str, Any]


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
    lacks: str = ""  # what the cluster hasn't, and without which it is not measured

    @property
    def met(self) -> bool:
        """Whether it has shown all that it was to show."""
        return not self.missed and not self.error

    @property
    def promises_balance(self) -> bool:
        """Whether every pod is to get calls, and added ones too. Of a problem the opposite is expected."""
        spread, scale_out = self.demo.expectations["spread"], self.demo.expectations["scale_out"]
        return bool(spread["backends"] == spread["replicas"] and scale_out["new_pods_share"] > 0)

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
        return jain(self.calls) if any(self.calls) else None

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
            "lacks": self.lacks,
        }


def spread(demo: Demo, figures: Figures) -> list[str]:
    expected, client = demo.expectations["spread"], figures["client"]
    calls, backends = expected["calls"], expected["backends"]
    got = {pod: seen["calls"] for pod, seen in client["backends"].items()}
    missed = _failed(client, 0, "in the spread")
    if unknown := got.keys() - set(figures["pods"]):
        missed.append(f"{', '.join(sorted(unknown))} answered, which no EndpointSlice lists as ready")
    if client["calls"] != calls:
        missed.append(f"{client['calls']} calls were made, expected {calls}")
    if len(got) != backends:
        missed.append(f"{len(got)} of {len(figures['pods'])} pods got calls, expected {backends}")
        return missed
    share, tolerance = calls / backends, expected["tolerance"]
    missed += [
        f"{pod} got {count} of {calls} calls, expected {share:g} ± {tolerance}"
        for pod, count in got.items()
        if abs(count - share) > tolerance
    ]
    return missed


def scale_out(demo: Demo, figures: Figures) -> list[str]:
    expected = demo.expectations["scale_out"]
    share, tolerance, within = expected["new_pods_share"], expected["tolerance"], figures["within_s"]
    missed = _failed(figures["client"], 0, "in the scale-out")
    seen = figures["share_of_new_pods"]
    if seen is None:
        missed.append(f"no call was answered {within:g} s after the new pods were ready")
    elif abs(seen - share) > tolerance:
        missed.append(f"new pods got {seen:.1%} of the calls, expected {share:.1%} ± {tolerance:.1%}")
    for pod in figures["ready"]:
        after = figures["first_call_after_s"].get(pod)
        if share and after is None:
            missed.append(f"new pod {pod} got no call in {within:g} s")
        elif share and after > within:
            missed.append(f"new pod {pod} got its first call after {after:.1f} s, expected within {within:g} s")
        elif not share and after is not None:
            missed.append(f"new pod {pod} got calls, expected none")
    return missed


def drill(demo: Demo, name: str, figures: Figures) -> list[str]:
    client, what = figures["client"], name.replace("_", " ")
    missed = []
    if client["attempts"] < ATTEMPTS:
        missed.append(f"{what}: only {client['attempts']} attempts, of {ATTEMPTS} at least")
    promised = demo.expectations["drills"][name]
    if "failed_attempts" in promised:  # else nothing is
        missed += _failed(client, promised["failed_attempts"], f"in the {what}")
    if "new_pods_within" in promised:
        within = figures["within_s"]
        since = f"the {promised['component']} was back and it was ready, expected within {within:g} s"
        for pod in figures["ready"]:
            after = figures["first_call_after_s"].get(pod)
            if after is None:
                missed.append(f"{what}: new pod {pod} got no call in the {figures['watched_s']:g} s after {since}")
            elif after > within:
                missed.append(f"{what}: new pod {pod} got its first call {after:.1f} s after {since}")
    return missed


def _failed(client: Figures, allowed: int, when: str) -> list[str]:
    if client["failed_attempts"] <= allowed:
        return []
    details = "; ".join(f"{count} × {text}" for text, count in client["failure_details"].items())
    counts = f"{client['failed_attempts']} of {client['attempts']} attempts failed"
    return [f"{when} {counts}, expected at most {allowed}: {details or 'retried with success'}"]
