"""The figures in words, the same in the terminal and on the page; "–" where there is nothing to say."""

from collections.abc import Sequence
from typing import Any

from compare.cluster import STOCK_CACHE
from compare.trial import RATE, SETTLED
from compare.verdict import Row, last_first_call

NONE = "–"
HEADINGS = ("strategy", "who picks", "calls per pod", "fairness", "p50 × direct", "new pods got", "how soon")
AWAY = (
    "New pods of a drill came while what it takes away was away: until the last of them had its first call, after it "
    "was ready and that was back."
)


def fairness(row: Row) -> str:
    return NONE if row.fairness is None else f"{row.fairness:.2f}"


def overhead(row: Row) -> str:
    return f"{row.overhead['p50']:.2f}" if row.overhead else NONE


def new_share(row: Row) -> str:
    """Of the new pods: their share of the calls, and what an even one would be."""
    if not row.scale_out or row.new_share is None:
        return NONE
    even = len(row.scale_out["ready"]) / row.demo.expectations["scale_out"]["replicas"]
    return f"{row.new_share:.0%}\n(even: {even:.0%})"


def soon(row: Row) -> str:
    if not row.scale_out:
        return NONE
    return _seconds(row.soon)


def _seconds(soon: float | None) -> str:
    if soon is None:
        return "never"
    return f"{soon:z.1f} s" if soon < 9.95 else f"{soon:.0f} s"


def failed(row: Row, drill: str) -> str:
    if drill not in row.drills:
        return NONE
    figures = row.drills[drill]
    counts = f"{figures['client']['failed_attempts']} of {figures['client']['attempts']}"
    return f"{counts}\n(new pods: {_seconds(last_first_call(figures))})" if "ready" in figures else counts


def drills(rows: Sequence[Row]) -> list[str]:
    """The names of those that were made."""
    return list(dict.fromkeys(name for row in rows for name in row.drills))


def drill(name: str) -> str:
    return name.replace("_", " ")


def verdict(row: Row) -> str:
    """Of the prediction, not of the strategy: what the problem shows is as predicted, too."""
    if row.lacks:
        return "\n".join(("– needs", *row.lacks.split()))
    return "✓ as\npredicted" if row.met else "✗ not as\npredicted"


def reasons(row: Row) -> list[str]:
    """What was missed, and what kept it from being measured."""
    return [*row.missed, *([row.error] if row.error else [])]


def notes(rows: Sequence[Row], cluster: dict[str, Any]) -> list[str]:
    """What the figures mean, and on what they were measured; a paragraph each."""
    skew = max((abs(row.scale_out["client_clock_behind_s"]) for row in rows if row.scale_out), default=0.0)
    here, nodes = cluster["compare_runs_on"], len(cluster["nodes"]) or "unknown"
    away = any("ready" in figures for row in rows for figures in row.drills.values())
    return [
        "Calls per pod: over one channel, one after the other. Fairness: Jain's index over all pods, 1 is even. "
        "p50 × direct: the median latency over that of plain channels to the pods, in turns in the same process.",
        f"New pods got: their share of {RATE} calls a second, over {SETTLED:g} s after they must have got it. How "
        "soon: until the last of them had its first call (by the client's clock) after its EndpointSlice was heard to "
        f"list it as ready (by this machine's; the two are {skew:.2f} s apart at most).",
        *([AWAY] if away else []),
        f"{_dns(cluster)} Kubernetes {cluster['kubernetes']}, nodes: {nodes}; "
        f"compare ran on {here['cpus']} CPUs, Python {cluster['versions']['python']}.",
    ]


def _dns(cluster: dict[str, Any]) -> str:
    dns = cluster["dns_cache"]
    cache = f"The cluster's DNS keeps answers for {dns['seconds']:g} s"
    if not dns["known"]:
        return f"{cache}: assumed, as its Corefile can't be read."
    if dns["seconds"] < STOCK_CACHE:
        return (
            f"{cache}, shortened from the stock {STOCK_CACHE:g} s: there, who asks DNS finds new pods that much later."
        )
    return f"{cache}."
