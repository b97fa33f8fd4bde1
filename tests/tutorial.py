"""Runs the tutorials: each `sh` block of a page has to succeed, and to print what the `text` block below it shows.

Addresses, ports, hashes, times, ages and latencies are the run's own and count as equal (the same address in two lines
is the same address in both), and so are calls per backend within a tenth. A `text` block that follows no command
is a picture. A block that can't be run says why in its info string, which sites show as its title:

    ```sh title="not run by the tests: it needs Docker"

A comment before a block says what it is else:

- `<!-- exits: 1 -->`: its command is to fail, with this exit code;
- `<!-- on: lab -->`, `<!-- on: cluster -->`: it is left out elsewhere, with the `text` block below it;
- `<!-- with: grpcurl -->`: it is left out, likewise, where there is no such program;
- `<!-- any order -->`: its lines come in an order of the run's own (pods are listed by their random names);
- `<!-- excerpt -->`: its lines, but for `…`, are some of those printed, and all numbers and hashes are the run's own;
- `<!-- beside -->`: its command goes on beside the blocks that follow, once it has printed what the `text` block shows.

`pytest NAME/README.md --refresh` writes what was printed into the README, wherever that differs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from catalogue import ROOT
from tests import pages

TIMEOUT = 300  # seconds that one command may take
WARNING = (r"^Warning: .*\n", "")  # the lab names what it stores and ignores
OWN = [  # what differs from run to run → what stands for it
    WARNING,
    (r"^Measuring, after \d+ calls to warm up\n", ""),  # of stderr: kubectl exec has two streams, in no order
    (r" from \S+ namespace$", ""),  # kubectl 1.32 does not say it
    (r"dns://[\d.]+:\d+/", ""),  # how the lab asks its own DNS server
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+", "TIME"),
    (r"-[a-z0-9]{5,10}-[a-z0-9]{5}\b", "-HASH"),
    (r"\d+\.\d\d ms", "N ms"),
    (r"after \d+ calls", "after N calls"),
    (r"Received \d+ calls on \d+ connection\(s\), \d+ in all", "Received N calls"),
]
ADDRESS = r"\b(\d+\.\d+\.\d+\.\d+|localhost)\b"  # localhost is a pod's own address on the lab
COUNT = re.compile(r"(\d+) calls$")
TOLERANCE = 0.1  # of a count of calls


@dataclass
class Outputs:
    """What the blocks of one page printed: of the last command, and where a page shows something else."""

    page: Path
    printed: str | None = None
    changed: dict[str, str] = field(default_factory=dict)  # text block → what was printed
    begun: "subprocess.Popen[str] | None" = None  # what goes on beside, and has not yet said what it should
    beside: "list[subprocess.Popen[str]]" = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def begin(self, command: list[str], here: dict[str, Any]) -> None:
        """Start a command that goes on."""
        pipe = subprocess.PIPE
        self.begun = subprocess.Popen(
            command, **here, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.beside.append(self.begun)

    def await_lines(self, shown: str) -> None:
        """Wait until it has printed these lines first."""
        process, self.begun = self.begun, None
        assert process
        assert process.stdout
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        try:
            for line in shown.splitlines():
                printed = process.stdout.readline()
                assert same(printed, line), f"printed: {printed}"
        finally:
            timer.cancel()
        self.readers.append(threading.Thread(target=process.stdout.read))  # it must not be held up by what it writes
        self.readers[-1].start()

    def end(self) -> None:
        """End what still goes on."""
        for process in self.beside:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        for reader in self.readers:
            reader.join()
        for process in self.beside:
            assert process.stdout
            process.stdout.close()

    def write(self) -> None:
        """Put what was printed in place of what the page shows."""
        text = self.page.read_text()
        for shown, printed in self.changed.items():
            text = text.replace(f"```text\n{shown}```", f"```text\n{printed}```", 1)
        self.page.write_text(text)


def lines(output: str) -> list[str]:
    """The lines of an output without what is its own."""
    for own, common in OWN:
        output = re.sub(own, common, output, flags=re.MULTILINE)
    numbers: dict[str, int] = {}
    output = re.sub(ADDRESS, lambda match: f"IP{numbers.setdefault(match[1], len(numbers) + 1)}", output)
    return [" ".join(line.split()) for line in output.strip().splitlines()]


def same(printed: str, shown: str, *, any_order: bool = False) -> bool:
    """Whether an output is what a page shows."""
    ours, theirs = lines(printed), lines(shown)
    if any_order:
        ours, theirs = sorted(ours), sorted(theirs)
    return len(ours) == len(theirs) and all(map(_same_line, ours, theirs))


def _same_line(printed: str, shown: str) -> bool:
    ours, theirs = COUNT.search(printed), COUNT.search(shown)
    if ours and theirs and abs(int(ours[1]) - int(theirs[1])) <= TOLERANCE * int(theirs[1]):
        printed = COUNT.sub(theirs[0], printed)
    return printed == shown


def excerpt(printed: str, shown: str) -> bool:
    """Whether an output has the lines that a page shows of it."""
    have = {_without_numbers(line) for line in lines(printed)}
    return all(_without_numbers(line) in have for line in lines(shown) if line != "…")


def _without_numbers(line: str) -> str:
    line = re.sub(r"-[a-z0-9]{5}\b", "-HASH", line)
    # Time, pid and line of a trace; grpcurl's time.
    line = re.sub(r"^I\d+ [\d:.]+ \d+ (\w+\.cc):\d+\]|^[\d/]+ [\d:]+", r"\1", line)
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8}\b|IP\d+|\d+", "N", re.sub(r"[\d.]*\d(ns|us|ms|s|m|h)\b", "N", line))


def comment(example: Example, pattern: str) -> re.Match[str] | None:
    """The comment of this form that stands before a block."""
    return pages.comment(example.document.text[: example.region.start], pattern)


def left_out(example: Example) -> str:
    """Why a block is left out here; "" where it isn't."""
    where, needed = comment(example, "on: (lab|cluster)"), comment(example, r"with: (\S+)")
    if where:
        is_lab = "current-context: lab" in Path(example.namespace["kubeconfig"]).read_text()
        if is_lab != (where[1] == "lab"):
            return f"for a {where[1]} only"
    return f"{needed[1]} is not on PATH" if needed and not shutil.which(needed[1]) else ""


def run(example: Example) -> None:
    """Run a block as a reader would type it, from the repository's root."""
    outputs: Outputs = example.namespace["outputs"]
    outputs.printed = None
    if reason := left_out(example):
        pytest.skip(reason)
    command = ["bash", "-ec", example.parsed.replace(".venv/bin/python", sys.executable)]
    here: Any = {"cwd": ROOT, "env": {**os.environ, "KUBECONFIG": example.namespace["kubeconfig"]}}
    if comment(example, "beside"):
        outputs.begin(command, here)
        return
    done = subprocess.run(
        command,
        **here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # in the order in which a terminal has them
        text=True,
        timeout=TIMEOUT,
    )
    printed = outputs.printed = done.stdout
    expected = comment(example, r"exits: (\d+)")
    assert done.returncode == int(expected[1] if expected else 0), f"exit code {done.returncode}; printed:\n{printed}"


def compare(example: Example) -> None:
    """What the last block printed is what the tutorial shows."""
    outputs: Outputs = example.namespace["outputs"]
    printed, outputs.printed = outputs.printed, None
    commands = [block for block in pages.blocks(example.document.text[: example.region.start]) if block.is_shell]
    if commands and not commands[-1].is_run:
        return  # what such a block would print, if it were run
    if outputs.begun:
        outputs.await_lines(example.parsed)
    elif printed is None:
        return
    elif comment(example, "excerpt"):
        assert excerpt(printed, example.parsed), f"printed:\n{printed}"
    elif not same(printed, example.parsed, any_order=bool(comment(example, "any order"))):
        outputs.changed[example.parsed] = re.sub(*WARNING, printed, flags=re.MULTILINE)
        raise AssertionError(f"printed:\n{printed}")


def tutorials() -> Sybil:
    """The pages, for pytest to collect."""
    blocks = (CodeBlockParser("sh", run), CodeBlockParser("text", compare))
    return Sybil(blocks, patterns=["*.md"], path=str(ROOT), fixtures=["kubeconfig", "outputs"])
