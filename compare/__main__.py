"""Measure strategies side by side on the cluster that KUBECONFIG names, and judge them by what they promise.

Each is applied in a namespace of its own, measured, and deleted again.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

try:
    from lightkube import ApiError
    from rich.console import Console

    from catalogue import CatalogueError, Demo, chosen
    from compare import cluster, terminal, words
    from compare.connection import connect
    from compare.errors import CompareError
    from compare.run import Run
    from compare.trial import check_drills
    from compare.verdict import Row
    from greeter_client.flags import seconds
except ModuleNotFoundError as error:  # another Python than that of .venv
    remedy = "`make tools` installs it; then it is .venv/bin/python -m compare"
    print(f"compare: {sys.executable} has no module {error.name}; {remedy}", file=sys.stderr)
    sys.exit(2)

MISSED, FAILED = 1, 2  # exit codes
Measured = tuple[Sequence[Row], dict[str, Any]]  # and what it was measured on


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"compare: {message}; see python -m compare --help\n")


def main() -> int:
    flags = Parser(prog="python -m compare", description=__doc__)
    add = flags.add_argument
    add("strategies", nargs="*", metavar="STRATEGY[/VARIANT]", help="client_roundrobin say (default: all)")
    add(
        "--drills",
        action="store_true",
        help="also take things away under calls, as each strategy has it; takes minutes",
    )
    add("--timeout", type=seconds, default="180s", metavar="TIME", help="of each wait for the cluster (default 180s)")
    add("--json", type=_file, metavar="FILE", help="write every figure there")
    add("--html", type=_file, metavar="FILE", help="write a page with plots there")
    arguments = flags.parse_args()
    try:
        demos = chosen(arguments.strategies)
        for demo in demos:
            check_drills(demo)
        measured = asyncio.run(_until_told_to_stop(demos, arguments))
        return measured if isinstance(measured, int) else _show(*measured, arguments)
    except KeyboardInterrupt:  # while it shows them
        return 128 + signal.SIGINT
    except (CatalogueError, CompareError) as error:
        print(f"compare: {error}", file=sys.stderr)
    except ApiError as error:
        print(f"compare: the cluster refuses: {error.status.message}", file=sys.stderr)
    return FAILED


async def _until_told_to_stop(demos: Sequence[Demo], arguments: argparse.Namespace) -> Measured | int:
    """What was measured, or the exit code.

    A signal ends the run, which then deletes what it made; a second one doesn't wait for that.
    """
    loop, task, received = asyncio.get_running_loop(), asyncio.create_task(_compare(demos, arguments)), []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
        print("compare: deleting what was made on the cluster", file=sys.stderr)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        print(f"compare: ended by {received[0].name}; the cluster is as it was found", file=sys.stderr)
        return 128 + received[0]


async def _compare(demos: Sequence[Demo], arguments: argparse.Namespace) -> Measured:
    async with connect() as api:
        dns = await cluster.dns_cache(api)
        about = await cluster.describe(api, dns)
        with terminal.progress(demos, drills=arguments.drills) as say:
            run = Run(api, demos, dns_cache=dns.seconds, patience=arguments.timeout, say=say)
            return await run(drills=arguments.drills), about


def _show(rows: Sequence[Row], about: dict[str, Any], arguments: argparse.Namespace) -> int:
    try:
        if arguments.json:
            figures = {"measured_on": about, "rows": [row.json() for row in rows]}
            _write(arguments.json, json.dumps(figures, indent=1) + "\n")
        if arguments.html:
            from compare import report  # with matplotlib: two thirds of the time until --help, if it stood above

            _write(arguments.html, report.page(rows, about))
    finally:  # a disk that is full doesn't cost the table
        terminal.show(Console(), rows, words.notes(rows, about))
    return 0 if all(row.met for row in rows) else MISSED


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise CompareError(f"{file} can't be written: {error.strerror}; measure again with another file") from error


def _file(text: str) -> Path:
    """A file that can be written, found out before minutes of measuring."""
    path = Path(text)
    try:
        there, place = path.exists(), path.parent.is_dir() and not path.is_dir()
    except OSError:  # a name that is too long
        there = place = False
    if not place or not os.access(path if there else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"'{text}' can't be written; name a file in a directory that exists")
    return path


if __name__ == "__main__":
    sys.exit(main())
