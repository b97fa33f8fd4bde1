"""The results as one self-contained page: the table, plots, and what made them; it loads nothing.

matplotlib draws the plots as SVG that takes on the page's own text colour, light or dark.
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

from compare import words
from compare.verdict import Row

TEMPLATE = Path(__file__).with_name("report.html")
SIZE = (4.4, 3.2)  # inches: drawn for a phone's width, so that nothing shrinks there
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
        drills=drills,
        headings=[*words.HEADINGS, *(f"failed, {words.drill(name)}" for name in drills), "verdict"],
        notes=words.notes(rows, about),
        plots={row.demo.name: _plots(row) for row in rows},
        rows=rows,
        when=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        words=words,
    )


def _plots(row: Row) -> list[tuple[str, str]]:
    """Each with its caption; those of which nothing was measured left out."""
    calls = row.demo.expectations["spread"]["calls"]
    drawn = [
        (over_time(row), "Calls of each pod in every second, while pods are added"),
        (latencies(row), f"Latency of {calls} calls over one channel, and of as many to the pods directly"),
    ]
    return [(plot, caption) for plot, caption in drawn if plot]


def over_time(row: Row) -> str:
    """Calls of each pod in every second of the scale-out, which is marked. SVG, or "" where there was none."""
    if not row.scale_out:
        return ""
    figures, client = row.scale_out, row.scale_out["client"]
    windows = client["windows"][:-1]  # the last second is not a whole one
    began, new = client["started"], list(figures["ready"])
    old = sorted({*(row.spread or {}).get("pods", ()), *client["backends"]} - set(new))

    def draw(axes: Axes) -> None:
        for pods, colours, kind in ((old, OLD, "-"), (new, NEW, "--")):
            for pod, colour in zip(pods, colours * len(pods), strict=False):
                counts = [window["backends"].get(pod, 0) for window in windows]
                label = f"{pod} (new)" if pod in new else pod
                axes.plot([w["second"] + 0.5 for w in windows], counts, kind, color=colour, linewidth=1.8, label=label)
        added = (figures["scaled"] - began, max(figures["ready"].values()) - began)
        axes.axvspan(*added, color=GREY, alpha=0.3, linewidth=0)
        axes.annotate("pods are added", (added[0], 1.02), xycoords=("data", "axes fraction"), fontsize=9)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("calls a second")
        axes.figure.legend(loc="outside lower center", fontsize=9, ncols=2)

    return _svg(draw)


def latencies(row: Row) -> str:
    """What part of the calls took at most so long, beside plain channels. SVG, or "" where nothing was measured."""
    if not row.spread:
        return ""
    ours, direct = row.spread["client"], row.spread["client"]["direct"]

    def draw(axes: Axes) -> None:
        for figures, name, colour, kind in ((direct, "direct", GREY, "--"), (ours, row.demo.name, OLD[0], "-")):
            if cuts := figures.get("latency_distribution_ms"):
                axes.plot(cuts, range(1, 100), kind, color=colour, linewidth=1.8, label=name)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 100)
        axes.set_xlabel("milliseconds")
        axes.set_ylabel("% of calls, at most")
        axes.figure.legend(loc="outside lower center", fontsize=9, ncols=2)

    return _svg(draw)


def _svg(draw: Any) -> str:
    """An SVG element to put into a page: no prologue, no ids that clash with another's, text in the page's colour."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"|(<svg )', r"\1\2", svg, count=1)
