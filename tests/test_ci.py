"""The workflow for forks runs nothing that a reader isn't told to run."""

import re
from configparser import ConfigParser
from typing import Any

import yaml

from catalogue import ROOT

JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
RUN = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def documented() -> set[str]:
    """The commands of README.md and CONTRIBUTING.md: lines of their blocks, and what stands between backquotes."""
    text = "".join((ROOT / page).read_text() for page in ("README.md", "CONTRIBUTING.md"))
    blocks = re.findall(r"^```sh[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {line for block in blocks for line in block.splitlines()} | set(re.findall(r"`([^`\n]+)`", text))


def test_each_command_is_one_that_a_reader_is_told_to_run() -> None:
    assert "make test" in RUN
    assert set(RUN) <= documented()


def test_each_tox_environment_that_it_runs_is_there() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    named = {name for command in RUN for name in re.findall(r"tox run -e (\S+)", command)}
    assert named
    assert {f"testenv:{name}" for name in named} <= set(tox.sections())
