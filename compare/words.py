"""The figures in words, the same in the terminal and on the page; "–" where there is nothing to say."""

from collections.abc import Sequence
from typing import Any

from compare.cluster import STOCK_CACHE
from compare.trial import RATE, SETTLED
from compare.verdict import Row, last_first_call

NONE = "–"
HEADINGS = ("strategy", "who picks", "calls per pod", "fairness", "p50 ×\ndirect", "new pods' share", "how soon")
AWAY = (
    "In a drill that takes something away, new pods come meanwhile. Their time is counted until the last of them had "
    "its first call, from the moment when it was ready and what had been taken away was back."
)


def fairness(row: Row) -> str:
    return NONE if row.fairness is None else f"{row.fairness:.2f}"


def overhead(row: Row) -> str:
    return f"{row.overhead['p50']:.2f}" if row.overhead else NONE


def new_share(row: Row) -> str:
    """Of the new pods: their share of the calls, and what an even one would be."""
    if not row.scale_out or row.new_share is None:
        return NONE
    return f"{row.new_share:.0%}\n(even: {even(row)})"


def even(row: Row) -> str:
    """Of the new pods: the share that they are of all pods."""
    return f"{len((row.scale_out or {'ready': ()})['ready']) / row.demo.expectations['scale_out']['replicas']:.0%}"


def soon(row: Row) -> str:
    if not row.scale_out:
        return NONE
    return seconds(row.soon)


def seconds(soon: float | None) -> str:
    if soon is None:
        return "never"
    return f"{soon:z.1f} s" if soon < 9.95 else f"{soon:.0f} s"


def failed(row: Row, drill: str) -> str:
    if drill not in row.drills:
        return NONE
    figures = row.drills[drill]
    counts = f"{figures['client']['failed_attempts']} of {figures['client']['attempts']}"
    return f"{counts}\n(new pods: {seconds(last_first_call(figures))})" if "ready" in figures else counts


def drills(rows: Sequence[Row]) -> list[str]:
    """The names of those that were made."""
    return list(dict.fromkeys(name for row in rows for name in row.drills))


def drill(name: str) -> str:
    return name.replace("_", " ")


def verdict(row: Row) -> str:
    """Of the prediction, and what was predicted: that a problem shows as predicted is no success."""
    if row.lacks:
        return "\n".join(("– needs", *row.lacks.split()))
    if not row.met:
        return "✗ not as\npredicted"
    return f"{'balanced' if row.promises_balance else 'pinned'},\nas\npredicted"


def mood(row: Row) -> str:
    """Of the verdict: good, a warning, bad, or none."""
    if row.lacks:
        return ""
    return "bad" if not row.met else "good" if row.promises_balance else "warning"


def reasons(row: Row) -> list[str]:
    """What was missed, and what kept it from being measured."""
    return [*row.missed, *([row.error] if row.error else [])]


def notes(rows: Sequence[Row], cluster: dict[str, Any]) -> list[str]:
    """What the figures mean, and on what they were measured; a paragraph each."""
    skew = max((abs(row.scale_out["client_clock_behind_s"]) for row in rows if row.scale_out), default=0.0)
    here, nodes = cluster["compare_runs_on"], len(cluster["nodes"]) or "unknown"
    away = any("ready" in figures for row in rows for figures in row.drills.values())
    return [
        "Who picks is who chooses a pod for each call. One that is told gets the list of pods from a program that "
        "watches Kubernetes.",
        "Calls per pod were made over one channel, one after the other. Fairness is Jain's index over all pods: 1 "
        "means an equal number of calls for each. p50 × direct is the median latency, divided by that of plain "
        "channels to the pods; both were measured in turns, in the same process.",
        f"New pods' share is the fraction of calls that the added pods received in a {SETTLED:g} s window that starts "
        f"when the strategy's deadline has passed. The client made {RATE} calls a second. How soon is the time until "
        "the last of the added pods had its first call. It counts from the moment when compare heard that the "
        "EndpointSlice, Kubernetes' list of a Service's pods, has the pod as ready. The call has the time of the "
        f"client's clock, the EndpointSlice that of this machine's; the two differ by {skew:.2f} s at most.",
        *([AWAY] if away else []),
        f"{_dns(cluster)} The cluster runs Kubernetes {cluster['kubernetes']}; its number of nodes is {nodes}. "
        f"compare ran on {here['cpus']} CPUs with Python {cluster['versions']['python']}.",
    ]


def _dns(cluster: dict[str, Any]) -> str:
    dns = cluster["dns_cache"]
    cache = f"The cluster's DNS keeps answers for {dns['seconds']:g} s"
    if not dns["known"]:
        cache += " (assumed, because its Corefile can't be read)"
    elif dns["seconds"] < STOCK_CACHE:
        cache += f", shortened from the stock {STOCK_CACHE:g} s"
    return f"{cache}. A strategy that asks DNS finds new pods up to that much later."
