"""The strategies' READMEs are tests: a fresh lab, the real kubectl, every block (tests/tutorial.py)."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import process
from tests.strategies import strategies
from tests.tutorial import tutorials

collect = tutorials().pytest()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    is_tutorial = file_path.name == "README.md" and file_path.parent in strategies()
    return collect(file_path, parent) if is_tutorial else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A block may wait for a rollout."""
    for item in items:
        if item.path.name == "README.md":
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[str]:
    """The cluster that KUBECONFIG names, or a lab of its own for each tutorial."""
    if not shutil.which("kubectl") and not os.environ.get("CI"):
        pytest.skip("kubectl is not on PATH")
    if given := os.environ.get("KUBECONFIG"):
        yield given
        return
    with process("lab", "up") as lab:
        yield lab.line(r"^export KUBECONFIG=(.+)$")[1]
