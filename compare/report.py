"""The results as one self-contained page: the table, plots, and what made them; it loads nothing."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from compare import plots, words
from compare.row import Row

TEMPLATE = Path(__file__).with_name("report.html")
HEADINGS = ("strategy", "who picks", "calls per pod", "fairness", "p50 × direct", "new pods got", "how soon")


def page(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """HTML. What clusters and people have written is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    drills = words.drills(rows)
    return environment.from_string(TEMPLATE.read_text()).render(
        about=about,
        drills=drills,
        headings=[*HEADINGS, *(f"failed, {words.drill(name)}" for name in drills), "verdict"],
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
        (plots.over_time(row), "Calls of each pod in every second, while pods are added"),
        (plots.latencies(row), f"Latency of {calls} calls over one channel, and of as many to the pods directly"),
    ]
    return [(plot, caption) for plot, caption in drawn if plot]
