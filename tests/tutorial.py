"""Runs the tutorials: each `sh` block of a strategy's README, and compares what it prints with the `text` block below.

Addresses, ports, hashes, times, ages and latencies are the run's own and count as equal (the same address in two lines
is the same address in both); so are calls per backend to the nearest ten, and the order of lines (pods are listed by
their random names). A `text` block that follows no command is a picture. `<!-- skip: next -->` before a block leaves it
out.
"""

import os
import re
import subprocess
import sys

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from catalogue import ROOT

TIMEOUT = 300  # seconds that one command may take
OWN = [  # what differs from run to run → what stands for it
    (r"^Warning: .*\n", ""),  # the lab names what it stores and ignores
    (r" from \S+ namespace$", ""),  # kubectl 1.32 does not say it
    (r"dns://[\d.]+:\d+/", ""),  # how the lab asks its own DNS server
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+", "TIME"),
    (r"-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "-HASH"),
    (r"\d+\.\d\d ms", "N ms"),
    (r"after \d+ calls", "after N calls"),
    (r"Received \d+ calls on \d+ connection\(s\), \d+ in all", "Received N calls"),
]

ADDRESS = r"\b(\d+\.\d+\.\d+\.\d+|localhost)\b"  # localhost is a pod's own address on the lab


def normalized(output: str) -> list[str]:
    """The lines of an output without what is its own, sorted."""
    for own, common in OWN:
        output = re.sub(own, common, output, flags=re.MULTILINE)
    numbers: dict[str, int] = {}
    output = re.sub(ADDRESS, lambda match: f"IP{numbers.setdefault(match[1], len(numbers) + 1)}", output)
    output = re.sub(r"(\d+) calls$", lambda match: f"{round(int(match[1]), -1)} calls", output, flags=re.MULTILINE)
    return sorted(" ".join(line.split()) for line in output.strip().splitlines())


def run(example: Example) -> None:
    """Run a block as a reader would type it, from the repository's root."""
    command = example.parsed.replace(".venv/bin/python", sys.executable)
    environment = {**os.environ, "KUBECONFIG": example.namespace["kubeconfig"]}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    example.namespace["printed"] = done.stdout + done.stderr


def compare(example: Example) -> None:
    """What the last block printed is what the tutorial shows."""
    printed = example.namespace.pop("printed", None)
    if printed is not None:
        assert normalized(printed) == normalized(example.parsed), f"printed:\n{printed}"


def tutorials() -> Sybil:
    """The READMEs of the strategies, for pytest to collect."""
    blocks = (CodeBlockParser("sh", run), CodeBlockParser("text", compare))
    return Sybil((*blocks, SkipParser()), patterns=["*/README.md"], path=str(ROOT), fixtures=["kubeconfig"])
