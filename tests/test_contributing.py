"""A new strategy touches the places that CONTRIBUTING.md names and no other: one is added to a copy of all this."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue import ROOT, demos

AFTER = "Next: all of them measured: [compare](../compare/README.md)."  # what the last strategy's page ends in
STEP = re.compile(r"^\d\. \*\*(.*(?:\n   .*)*)", re.MULTILINE)
ROW = "| [`dummy`](dummy/README.md) | nobody | nothing to do | it does nothing |\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Of what git knows or would take in."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def its_own_directory(copy: Path) -> None:
    """That of the simplest strategy, by another name."""
    shutil.copytree(copy / "clusterip", copy / "dummy")
    for path in [*(copy / "dummy").rglob("*.*")]:
        text = re.sub(r"^Next: .*", AFTER, path.read_text().replace("clusterip", "dummy"), flags=re.MULTILINE)
        path.write_text(re.sub(r"^order = \d+", "order = 99", text, flags=re.MULTILINE))
        path.rename(path.with_name(path.name.replace("clusterip", "dummy")))


def its_name_in_tox_ini(copy: Path) -> None:
    tox = copy / "tox.ini"
    tox.write_text(tox.read_text().replace("clusterip, ", "clusterip, dummy, ", 1))


def its_row_in_the_readme(copy: Path) -> None:
    readme = copy / "README.md"
    last = re.findall(r"^\| \[`\w+`\]\(\w+/README.md\) \|.*\n", readme.read_text(), re.MULTILINE)[-1]
    readme.write_text(readme.read_text().replace(last, last + ROW))


def its_place_in_the_walk(copy: Path) -> None:
    """Behind the strategy that is taught last."""
    before = copy / demos()[-1].name.partition("/")[0] / "README.md"
    before.write_text(before.read_text().replace(AFTER, "Next: [dummy](../dummy/README.md)."))
    site = copy / "mkdocs.yml"
    site.write_text(site.read_text().replace("- Compare:", "  - dummy: dummy/README.md\n- Compare:"))


def its_figures(copy: Path) -> None:
    """Those of the strategy that it copies, which do not differ from its own; and what has to change for it."""
    for name in ("lab", "cluster", "parts"):
        kept = copy / "docs" / "measured" / f"{name}.json"
        figures = json.loads(kept.read_text())
        if name == "parts":
            figures["demos"]["dummy"] = figures["demos"]["clusterip"]
        else:
            [like] = [row for row in figures["rows"] if row["strategy"] == "clusterip"]
            figures["rows"].append({**like, "strategy": "dummy"})
        kept.write_text(json.dumps(figures))
    python(copy, "docs.measured.table").check_returncode()
    page = copy / "docs" / "choosing.md"
    [first] = re.findall(r"^\| `clusterip` \|.*\n", page.read_text(), re.MULTILINE)
    page.write_text(page.read_text().replace(first, first + "| `dummy` | nothing | nothing | nothing |\n"))


STEPS: list[Callable[[Path], None]] = [
    its_own_directory,
    its_name_in_tox_ini,
    its_row_in_the_readme,
    its_place_in_the_walk,
    its_figures,
]


def python(copy: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *args], cwd=copy, capture_output=True, text=True)


def check(copy: Path) -> subprocess.CompletedProcess[str]:
    tests = [f"tests/test_{name}.py" for name in ("repository", "manifests", "next", "choosing")]
    of_the_site = "tests/test_site.py::test_it_has_every_page_in_the_order_of_the_walk"
    return python(copy, "pytest", "-q", *tests, of_the_site, "-k", "not make_test")


def test_a_strategy_is_added_in_the_places_that_contributing_names(copy: Path) -> None:
    chapter = (ROOT / "CONTRIBUTING.md").read_text().partition("## A new strategy")[2]
    named = [re.findall(r"directory|tox\.ini|README\.md|walk|Measure", step)[0] for step in STEP.findall(chapter)]
    assert named == ["directory", "tox.ini", "README.md", "walk", "Measure"]
    for step in STEPS:
        step(copy)
    for done in (
        check(copy),
        python(copy, "tests.layers"),
        python(copy, "lab", "run", "--", sys.executable, "-m", "compare", "dummy"),
    ):
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"dummy .*predicted", re.sub(r"\s+", " ", done.stdout))


@pytest.mark.parametrize("left_out", STEPS[1:], ids=lambda step: step.__name__)
def test_a_place_that_was_forgotten_is_named(copy: Path, left_out: Callable[[Path], None]) -> None:
    for step in STEPS:
        if step is not left_out:
            step(copy)
    done = check(copy)
    assert re.search(r"^FAILED ", done.stdout, re.MULTILINE), done.stdout
    assert "dummy" in done.stdout
