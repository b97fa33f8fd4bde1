"""The repository keeps the shape that its docs promise: found, not listed, so that nothing new goes unchecked."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalogue import ROOT, demos, strategies
from tests.pages import blocks, pages

STRATEGIES = pytest.mark.parametrize("strategy", strategies(), ids=lambda path: path.name)
SCREEN = 60  # lines


def test_strategies_are_found() -> None:
    assert {"clusterip", "client_roundrobin"} <= {path.name for path in strategies()}


def test_tox_has_an_environment_for_each_strategy_and_for_nothing_that_is_none() -> None:
    [names] = re.findall(r"^\[testenv:\{(.+)\}\]$", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert {*names.split(", ")} - {"lab", "compare"} == {path.name for path in strategies()}


def test_make_test_runs_the_tests_of_every_directory() -> None:
    """A directory that pytest never looks into is one like `build`, or one without permission."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq"], cwd=ROOT, capture_output=True, text=True
    )
    found = {Path(line.partition(":")[0]) for line in collected.stdout.splitlines() if ": " in line}
    written = {path.relative_to(ROOT) for path in ROOT.glob("[!.]*/**/test_*.py") if path.is_file()}
    assert {path for path in written if path.parts[0] != "build"} <= found
    assert {
        page.relative_to(ROOT) for page in pages() if any(block.is_run for block in blocks(page.read_text()))
    } <= found


@STRATEGIES
def test_a_strategy_has_every_part(strategy: Path) -> None:
    for part in ("README.md", "__init__.py", "client.py", "expectations.toml"):
        assert (strategy / part).is_file(), f"{strategy.name} lacks {part}"
    assert list(strategy.glob("test_*.py"))


@STRATEGIES
def test_its_client_opens_a_channel_runs_as_a_module_and_fits_on_a_screen(strategy: Path) -> None:
    text = (strategy / "client.py").read_text()
    functions = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert {"open_channel", "main"} <= functions
    assert 'if __name__ == "__main__":' in text
    assert len(text.splitlines()) <= SCREEN


@STRATEGIES
def test_the_readme_has_a_row_for_it(strategy: Path) -> None:
    table = (ROOT / "README.md").read_text().partition("| strategy |")[2].partition("\n\n")[0]
    assert f"\n| [`{strategy.name}`]({strategy.name}/README.md) |" in table


def test_expectations_are_complete() -> None:
    assert len({demo.expectations["order"] for demo in demos()}) == len(strategies())
    for demo in demos():
        assert demo.expectations["picks"], demo.name
        assert {"calls", "replicas", "backends", "tolerance"} <= demo.expectations["spread"].keys(), demo.name
        assert {"replicas", "within", "dns_cached", "new_pods_share", "tolerance"} <= demo.expectations[
            "scale_out"
        ].keys(), demo.name
        assert demo.expectations["scale_out"]["replicas"] > demo.expectations["spread"]["replicas"], demo.name
