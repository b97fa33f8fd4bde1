"""Go programs for tests, built from sources beside them: Go's own caches make that quick from the second time on."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def downloaded(source: Path) -> None:
    """Get what the program needs. Skips where that can't be done."""
    if not shutil.which("go"):
        pytest.skip("go, which builds the client, is not on PATH")
    if subprocess.run(["go", "mod", "download"], cwd=source, capture_output=True).returncode:
        pytest.skip("grpc-go can't be downloaded, or needs a newer Go")


def build(source: Path, program: Path, *flags: str) -> Path:
    """Build it with the versions that its go.sum pins; return the program."""
    command = ["go", "build", "-mod=readonly", *flags, f"-o={program}", "."]
    run = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return program


class Client:
    """A program that makes calls over its one channel: so many for each line on its stdin."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def calls(self, number: int, metadata: str = "") -> dict[str, int]:
        """How many calls, with the metadata KEY=VALUE, each backend has answered, or failed with which words."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{number} {metadata}".rstrip() + "\n")
        self._process.stdin.flush()
        became: dict[str, int] = json.loads(self._process.stdout.readline())
        return became

    def failure(self) -> str:
        """The words with which one call fails."""
        [words] = self.calls(1)
        return words


@contextmanager
def client(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Iterator[Client]:
    """One that runs, and is dead in the end."""
    pipe, whole = subprocess.PIPE, {**os.environ, **(env or {})}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=whole) as process:
        try:
            yield Client(process)
        finally:
            process.kill()
