"""The results as a table that one reads at a glance, for a terminal of 80 columns."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from compare import words
from compare.row import Row

BAR = 5  # characters that stand for the calls of the busiest pod there could be


def show(console: Console, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """Print the table, that of the drills where there were some, what was missed, and what the figures mean."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("who picks", width=8)
    table.add_column("calls\nper pod", no_wrap=True)
    for heading in ("fair-\nness", "p50 ×\ndirect", "new pods\ngot", "how\nsoon"):
        table.add_column(heading)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        cells: list[RenderableType] = [f"[bold]{row.demo.name}[/]", escape(row.demo.expectations["picks"]), _bars(row)]
        cells += [words.fairness(row), words.overhead(row), words.new_share(row), words.soon(row)]
        table.add_row(*cells, Text(words.verdict(row), style="green" if row.met else "bold red"))
    console.print(table)
    if drills := words.drills(rows):
        console.print(_drills(rows, drills))
    for row in rows:
        for reason in words.reasons(row):
            console.print(Text(f"{row.demo.name}: {reason}", style="bold red"))
    for note in notes:
        console.print(Text(note, style="dim"))


def _drills(rows: Sequence[Row], names: Sequence[str]) -> Table:
    table = Table("failed attempts in a", *(words.drill(name) for name in names), box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(f"[bold]{row.demo.name}[/]", *(words.failed(row, name) for name in names))
    return table


def _bars(row: Row) -> RenderableType:
    total = sum(row.calls)
    bars = (f"{'█' * round(BAR * count / total):{BAR}} {count:3}" for count in row.calls) if total else (words.NONE,)
    return Group(*map(Text, bars), "")
