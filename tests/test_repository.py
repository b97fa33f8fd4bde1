"""The repository keeps the shape that its docs promise: found, not listed, so that nothing new goes unchecked."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalogue import ROOT, demos, strategies
from tests.environments import environments, untested

STRATEGIES = pytest.mark.parametrize("strategy", strategies(), ids=lambda path: path.name)
PAGES = [path for path in ROOT.rglob("*.md") if not re.search(r"/\.(tox|venv|git)/", str(path))]
SCREEN = 60  # lines


def test_strategies_are_found() -> None:
    assert {"clusterip", "client_roundrobin"} <= {path.name for path in strategies()}


def test_tox_has_an_environment_for_each_strategy_and_for_nothing_that_is_none() -> None:
    assert {name for name in environments() if (ROOT / name).is_dir()} - {"lab", "compare"} == {
        path.name for path in strategies()
    }


def test_every_directory_with_tests_is_run_by_an_environment() -> None:
    assert not untested(environments(), directories_with_tests())


def test_a_directory_whose_tests_no_environment_runs_is_named() -> None:
    lab = ["pytest --ignore=lab/conformance lab", "python -m lab run -- pytest lab/conformance"]
    directories = [Path("lab"), Path("lab/conformance"), Path("lint"), Path("shared")]
    tox = {"lint": ["ruff check"], "base": ["pytest -n 4 --others"], "lab": lab}
    assert untested(tox, directories) == [Path("lint")]  # its name is an environment's that runs no tests
    assert untested(tox | {"lab": lab[:1]}, directories[:2]) == [Path("lab/conformance")]
    assert untested(tox | {"base": ["pytest -n 4 tests"]}, directories) == [Path("lint"), Path("shared")]


def test_the_others_are_the_directories_without_an_environment_of_their_name() -> None:
    command = [sys.executable, "-m", "pytest", "--others", "--collect-only", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    collected = set(re.findall(r"^(\w+)/.*::", done.stdout, re.MULTILINE))
    assert collected == {path.parts[0] for path in directories_with_tests()} - environments().keys(), done.stdout


@STRATEGIES
def test_a_strategy_has_every_part(strategy: Path) -> None:
    for part in ("README.md", "__init__.py", "client.py", "server.py", "expectations.toml"):
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
    assert re.search(rf"^\| \[`{strategy.name}`\]\({strategy.name}/?(README\.md)?\) \|", readme(), re.MULTILINE)


def test_expectations_are_complete() -> None:
    assert len({demo.expectations["order"] for demo in demos()}) == len(strategies())
    for demo in demos():
        assert demo.expectations["picks"], demo.name
        assert {"calls", "replicas", "backends", "tolerance"} <= demo.expectations["spread"].keys(), demo.name
        assert {"replicas", "within", "dns_cached", "new_pods_share", "tolerance"} <= demo.expectations[
            "scale_out"
        ].keys(), demo.name
        assert demo.expectations["scale_out"]["replicas"] > demo.expectations["spread"]["replicas"], demo.name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}"


def test_versions_are_pinned_and_name_no_host() -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    assert "://" not in constraints
    pins = {line.partition("==")[0].lower() for line in constraints.splitlines() if "==" in line}
    assert {"grpcio", "protobuf", "pytest", "tox", "uv"} <= pins


def directories_with_tests() -> list[Path]:
    """Relative to the root; where pytest looks, too."""
    found = {path.parent.relative_to(ROOT) for path in ROOT.glob("[!.]*/**/test_*.py")}
    return sorted(path for path in found if path.parts[0] != "build")


def readme() -> str:
    return (ROOT / "README.md").read_text()
