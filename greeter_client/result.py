"""What a measurement says: counts, fairness, latency; as JSON for programs and as a few lines for people."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from greeter_client.calls import Call


def jain(counts: Iterable[int]) -> float:
    """Jain's fairness index of what each got: 1 where all got the same, 1/n where one of n got all; 0 of nothing.

    Source: R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness (DEC-TR-301, 1984).
    """
    values = list(counts)
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def summarize(calls: Sequence[Call], expected_backends: int = 0) -> dict[str, Any]:
    """Times in seconds since the epoch, by this machine's clock; latencies in milliseconds, of calls that succeeded.

    Jain's index counts every backend seen, and those of `expected_backends` that were not, as idle. `attempts` counts
    the retries of a retryPolicy; a failed call that no server answered counts as one attempt.
    """
    answered = [call for call in calls if call.code == "OK"]
    attempts = sum(call.attempts for call in calls)
    per_backend = Counter(call.backend for call in answered)
    idle = [0] * max(0, expected_backends - len(per_backend))
    return {
        "calls": len(calls),
        "attempts": attempts,
        "failed_attempts": attempts - len(answered),
        "failures": dict(Counter(call.code for call in calls if call.code != "OK")),
        "failure_details": dict(Counter(call.details for call in calls if call.code != "OK").most_common(5)),
        "started": calls[0].start if calls else None,
        "ended": calls[-1].start + calls[-1].latency if calls else None,
        "backends": {backend: _seen(answered, backend) for backend in sorted(per_backend)},
        "jain": round(jain([*per_backend.values(), *idle]), 4),
        "jain_of": len(per_backend) + len(idle),
        "expected_backends": expected_backends or None,
        "windows": _windows(calls, len(per_backend) + len(idle)),
        "latency_ms": percentiles(answered),
        "latency_distribution_ms": distribution(answered),
    }


def _seen(answered: Sequence[Call], backend: str) -> dict[str, Any]:
    own = [call.start for call in answered if call.backend == backend]
    return {"calls": len(own), "first_seen": own[0], "last_seen": own[-1]}


def _windows(calls: Sequence[Call], backends: int) -> list[dict[str, Any]]:
    """One entry for each second since the first call in which calls started."""
    seconds: dict[int, list[Call]] = {}
    for call in calls:
        seconds.setdefault(int(call.start - calls[0].start), []).append(call)
    windows = []
    for second, within in sorted(seconds.items()):
        got = Counter(call.backend for call in within if call.code == "OK")
        fairness = round(jain([*got.values(), *[0] * (backends - len(got))]), 4)
        failures = sum(call.code != "OK" for call in within)
        windows.append(
            {"second": second, "backends": dict(sorted(got.items())), "failures": failures, "jain": fairness}
        )
    return windows


def percentiles(answered: Sequence[Call]) -> dict[str, float] | None:
    """p50 and p99 in milliseconds, or None of fewer than two calls."""
    cuts = distribution(answered)
    return {"p50": cuts[49], "p99": cuts[98]} if cuts else None


def distribution(answered: Sequence[Call]) -> list[float] | None:
    """All of p1 to p99 in milliseconds, or None of fewer than two calls."""
    if len(answered) < 2:
        return None
    cuts = statistics.quantiles((call.latency * 1000 for call in answered), n=100, method="inclusive")
    return [round(cut, 3) for cut in cuts]


def beside(channel: Sequence[Call], direct: Sequence[Call]) -> dict[str, Any]:
    """The latency of the plain channel measured in the same run, and how many times that the strategy's is."""
    answered = [call for call in direct if call.code == "OK"]
    ours, plain = percentiles([call for call in channel if call.code == "OK"]), percentiles(answered)
    ratios = {p: round(ours[p] / plain[p], 3) for p in plain} if ours and plain else None
    latencies = {"latency_ms": plain, "latency_distribution_ms": distribution(answered)}
    return {"calls": len(direct), **latencies, "ratio": ratios}


def _backends(result: dict[str, Any]) -> str:
    """Those that fairness is over. Nobody knows of idle ones where it was not said how many there should be."""
    if result["expected_backends"]:
        return f"{result['jain_of']} backends"
    answered = "1 backend" if result["jain_of"] == 1 else f"{result['jain_of']} backends"
    return f"the {answered} that answered; idle ones count with --backends"


def describe(result: dict[str, Any]) -> str:
    """The result in a few lines for people."""
    backends = result["backends"].items()
    failed = ", ".join(f"{count} × {code}" for code, count in result["failures"].items()) or "0"
    lines = [f"{result['calls']} calls in {result['attempts']} attempts, failed calls: {failed}"]
    details = result["failure_details"].items()
    lines += [f"  {count} × {' '.join(text.split()) or 'without a reason given'}" for text, count in details]
    lines += [f"  {address:15} {seen['calls']:6} calls" for address, seen in backends]
    if latency := result["latency_ms"]:
        lines.append(f"fairness {result['jain']:.2f} (Jain's index, of {_backends(result)})")
        lines.append(f"p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms")
    if ratio := result.get("direct", {}).get("ratio"):
        lines.append(f"{ratio['p50']:.2f} × the p50 of a direct channel, {ratio['p99']:.2f} × its p99")
    return "\n".join(lines)
