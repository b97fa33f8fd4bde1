"""The results as one self-contained page: conclusions, the table, plots, and what made them; it loads nothing.

All strategies' plots have the same axes, for the eye to compare. matplotlib draws them as SVG that takes on the
page's own text colour, light or dark.
"""

import datetime
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from compare import conclusions, words
from compare.verdict import Figures, Row

TEMPLATE = Path(__file__).with_name("report.html")
SIZE = (4.0, 3.0)  # inches: drawn for a phone's width, so that nothing shrinks there
# Legible on white and on near-black. Old pods are cool, new ones warm.
OLD, NEW = (
    ("#3b82f6", "#14a3a8", "#7c83ff", "#5b9bd5", "#2f9e6e"),
    ("#f08c00", "#e8590c", "#d6a300", "#e64980", "#c0694a"),
)
GREY = "#868e96"
TEXT = "#010203"  # stands for the page's text colour until the SVG is done
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": GREY,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """HTML. What clusters and people have written is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    drills = words.drills(rows)
    return environment.from_string(TEMPLATE.read_text()).render(
        about=about,
        conclusions=conclusions,
        drills=drills,
        headings=[*words.HEADINGS, *(f"failed, {words.drill(name)}" for name in drills), "verdict"],
        notes=words.notes(rows, about),
        plots=_plots(rows),
        rows=rows,
        when=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        words=words,
    )


def _plots(rows: Sequence[Row]) -> dict[str, list[tuple[str, str]]]:
    """Of each strategy, each plot with its caption; those of which nothing was measured left out."""
    scaled = [row.scale_out for row in rows if row.scale_out]
    first = min((_began(figures) for figures in scaled), default=0)
    last = max((_began(figures) + len(_seconds(figures)) for figures in scaled), default=0)
    times = [time for row in rows for curve in _curves(row).values() for time in curve]
    plots: dict[str, list[tuple[str, str]]] = {row.demo.name: [] for row in rows}
    for row in rows:
        if row.scale_out:
            shares = over_time(row.scale_out, _pods(row), first, last)
            plots[row.demo.name].append((shares, "Each colour is the share of the calls that one pod answered."))
        if curves := _curves(row):
            within = (
                f"With {name}, half took at most {c[49]:.2f} ms, 99% at most {c[98]:.2f} ms."
                for name, c in curves.items()
            )
            plots[row.demo.name].append((latencies(curves, min(times), max(times)), " ".join(within)))
    return plots


def _began(figures: Figures) -> float:
    """When the calls began: seconds, mostly below 0, after the added pods were ready."""
    return float(figures["client"]["started"] - max(figures["ready"].values()))


def _seconds(figures: Figures) -> list[dict[str, int]]:
    """The calls of each pod in every second; the last one is not whole, and left out."""
    counts = {window["second"]: window["backends"] for window in figures["client"]["windows"][:-1]}
    return [counts.get(second, {}) for second in range(max(counts, default=-1) + 1)]


def _pods(row: Row) -> dict[str, tuple[str, str]]:
    """Name and colour of each address: added pods come last, and are named so."""
    figures = row.scale_out or {}
    new = list(figures["ready"])
    old = sorted({*(row.spread or {}).get("pods", ()), *figures["client"]["backends"]} - set(new))
    names = [f"pod {n}" if n <= len(old) else f"pod {n} (new)" for n in range(1, len(old + new) + 1)]
    colours = [kind[n % len(kind)] for kind, pods in ((OLD, old), (NEW, new)) for n in range(len(pods))]
    return dict(zip(old + new, zip(names, colours, strict=True), strict=True))


def over_time(figures: Figures, pods: dict[str, tuple[str, str]], first: float, last: float) -> str:
    """SVG: each pod's share of the calls in every second of the scale-out, stacked; the time while pods were added."""
    began, seconds = _began(figures), _seconds(figures)

    def draw(axes: Axes) -> None:
        shares = [[100 * got.get(pod, 0) / (sum(got.values()) or 1) for got in seconds] for pod in pods]
        edges, steps = [began + n for n in range(len(seconds) + 1)], [[*share, *share[-1:]] for share in shares]
        names, colours = zip(*pods.values(), strict=True)
        areas = axes.stackplot(edges, steps, labels=names, colors=colours, step="post")
        for area, (pod, (name, _)) in zip(areas, pods.items(), strict=True):
            area.set_gid(f"title:{name}: {pod}")
        added = figures["scaled"] - max(figures["ready"].values())
        axes.axvspan(added, 0, color=GREY, alpha=0.5, linewidth=0)
        axes.annotate("pods are added", (added, 1.02), xycoords=("data", "axes fraction"))
        axes.set_xlim(first, last)
        axes.set_xlabel("seconds after the new pods were ready")
        axes.set_ylabel("share of calls")
        axes.set_yticks(range(0, 101, 20))
        axes.figure.legend(loc="outside lower center", ncols=3, handlelength=1, columnspacing=1)

    return _svg(draw)


def _curves(row: Row) -> dict[str, list[float]]:
    """p1 to p99 in milliseconds, of the strategy and of direct calls."""
    client = row.spread["client"] if row.spread else {"direct": {}}
    cuts = {
        name: figures.get("latency_distribution_ms")
        for name, figures in ((row.demo.name, client), ("direct calls", client["direct"]))
    }
    return {name: each for name, each in cuts.items() if each}


def latencies(curves: dict[str, list[float]], least: float, most: float) -> str:
    """SVG: what share of the calls was answered within so long, beside direct calls; half and 99% are marked.

    Logarithmic, for p99 is many times p50, and strategies differ by factors.
    """

    def draw(axes: Axes) -> None:
        for share, label in ((50, "half of the calls"), (99, "99 of 100 calls")):
            axes.axhline(share, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(label, (1, share + 2), xycoords=("axes fraction", "data"), ha="right")
        looks: Any = {"marker": "o", "markevery": [49, 98], "linewidth": 1.8, "clip_on": False}
        for (name, cuts), colour, kind in zip(curves.items(), (OLD[0], GREY), ("-", "--"), strict=True):
            axes.plot(cuts, range(1, 100), kind, color=colour, label=name, zorder=3 if kind == "-" else 2, **looks)
        axes.set_xscale("log", subs=[])
        axes.set_xlim(0.9 * least, 1.1 * most)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("milliseconds")
        axes.set_ylabel("share of calls answered within")
        axes.set_yticks([0, 25, 50, 75, 99])
        axes.figure.legend(loc="outside lower center", ncols=2)

    return _svg(draw)


def _svg(draw: Any) -> str:
    """An SVG element to put into a page: no prologue, no ids that clash with another's, text in the page's colour."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter("{x:.0f}%")
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    svg = re.sub(r'<g id="title:([^"]*)">', r"<g><title>\1</title>", svg)  # what a browser shows of it under the mouse
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"|(<svg )', r"\1\2", svg, count=1)
