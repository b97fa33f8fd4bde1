"""What a terminal shows: what is going on meanwhile, then the results as a table, in 80 columns or in 120."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from catalogue import Demo
from compare import conclusions, words
from compare.run import Say
from compare.verdict import Row

WIDE = 120  # columns in which calls alone need a second line
NARROW = ("fair-\nness", "p50 ×\ndirect", "new\npods'\nshare", "how\nsoon")  # headings in 80 columns
STYLES = {"": "dim", "good": "green", "warning": "yellow", "bad": "bold red"}
BAR = 5  # characters that stand for the calls of the busiest pod there could be


@contextmanager
def progress(demos: Sequence[Demo], *, drills: bool) -> Iterator[Say]:
    """A bar for each strategy, on stderr, for the length of the block."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),  # as wide whatever stands beside it
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        stages = {demo.name: 3 + (len(demo.expectations["drills"]) if drills else 0) for demo in demos}
        tasks = {name: bars.add_task(name, total=total, what="") for name, total in stages.items()}

        def say(name: str, what: str) -> None:
            bars.update(tasks[name], advance=0 if what else 1, what=what)

        yield say


def show(console: Console, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """Print the table, that of the drills where there were some, what follows, what was missed, what figures mean."""
    wide = console.width >= WIDE
    console.print(_table(rows, wide=wide))
    if drills := words.drills(rows):
        console.print(_drills(rows, drills, wide=wide), "")
    console.print(Text("\n".join([*conclusions.overall(rows), ""])))
    for row in rows:
        for reason in words.reasons(row):
            console.print(Text(f"{row.demo.name}: {reason}", style="bold red"))
    for note in notes:
        console.print(Text(note, style="dim"))


def _table(rows: Sequence[Row], *, wide: bool) -> Table:
    strategy, who, _, *figures = words.HEADINGS
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(strategy, no_wrap=True)
    table.add_column(who, width=None if wide else 8)
    table.add_column("calls\nper pod", no_wrap=True)
    for heading in figures if wide else NARROW:
        table.add_column(heading, no_wrap=wide)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        name, share, verdict = row.demo.name, words.new_share(row), words.verdict(row)
        if wide:
            share, verdict = share.replace("\n", " "), verdict.replace("\n", " ")
        else:
            name = name.replace("/", "/\n")
        cells: list[RenderableType] = [f"[bold]{name}[/]", escape(row.demo.expectations["picks"]), _bars(row)]
        cells += [words.fairness(row), words.overhead(row), share, words.soon(row)]
        table.add_row(*cells, Text(verdict, style=STYLES[words.mood(row)]))
    return table


def _drills(rows: Sequence[Row], names: Sequence[str], *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("failed\nattempts in a", no_wrap=True)
    for name in names:
        table.add_column(words.drill(name) if wide else words.drill(name).replace(" ", "\n", 1))
    for row in rows:
        name = row.demo.name if wide else row.demo.name.replace("/", "/\n")
        table.add_row(f"[bold]{name}[/]", *(words.failed(row, name) for name in names))
    return table


def _bars(row: Row) -> RenderableType:
    total = sum(row.calls)
    bars = (f"{'█' * round(BAR * count / total):{BAR}} {count:3}" for count in row.calls) if total else (words.NONE,)
    return Group(*map(Text, bars), "")
