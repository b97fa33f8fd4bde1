"""The tutorials are tests: a fresh lab or KUBECONFIG's cluster, the real kubectl, every block (tests/tutorial.py)."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from compare.strategies import ROOT, strategies
from tests.processes import process
from tests.tutorial import tutorials

collect = tutorials().pytest()
HPA = ROOT / "k8s" / "hpa"  # of a cluster alone: the lab has no autoscaler


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    is_tutorial = file_path.name == "README.md" and file_path.parent in [*strategies(), HPA]
    return collect(file_path, parent) if is_tutorial else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A block may wait for a rollout."""
    for item in items:
        if item.path.name == "README.md":
            item.add_marker(pytest.mark.tutorial)
            item.add_marker(pytest.mark.timeout(300))
        if item.path.parent == HPA and not os.environ.get("KUBECONFIG"):
            item.add_marker(pytest.mark.skip("KUBECONFIG names no cluster"))


@pytest.fixture(scope="module")
def kubeconfig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The cluster that KUBECONFIG names, without the tutorial's namespaces; or a lab of its own for each tutorial.

    A copy: tutorials change the current namespace.
    """
    if not shutil.which("kubectl") and not os.environ.get("CI"):
        pytest.skip("kubectl is not on PATH")
    if given := os.environ.get("KUBECONFIG"):
        namespaces = re.findall(r"^kubectl create namespace (\S+)$", request.path.read_text(), re.MULTILINE)
        delete = ["kubectl", "delete", "namespace", "--ignore-not-found", *namespaces]
        subprocess.run(delete, check=True)  # of a run that was killed
        yield shutil.copy(given, str(tmp_path_factory.mktemp("kube") / "config"))
        subprocess.run([*delete, "--wait=false"], check=True)  # of one that failed midway
        return
    with process("lab", "up") as lab:
        yield lab.line(r"^export KUBECONFIG=(.+)$")[1]
