"""Judges what was measured by the strategy's expectations.toml: a miss states what was seen and what was expected."""

from typing import Any

from catalogue import Demo
from compare.trial import ATTEMPTS

Figures = dict[str, Any]


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
