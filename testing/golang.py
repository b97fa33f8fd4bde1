"""Go programs for tests, built from sources beside them: Go's own caches make that quick from the second time on."""

import shutil
import subprocess
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
