"""What is going on, for people at a terminal: a bar for each strategy, on stderr."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from catalogue import Demo
from compare.run import Say


@contextmanager
def progress(demos: Sequence[Demo], *, drills: bool) -> Iterator[Say]:
    """Show it for the length of the block."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        stages = {demo.name: 3 + (len(demo.expectations["drills"]) if drills else 0) for demo in demos}
        tasks = {name: bars.add_task(name, total=total, what="") for name, total in stages.items()}

        def say(name: str, what: str) -> None:
            bars.update(tasks[name], advance=0 if what else 1, what=what)

        yield say
