"""What tests of all directories use; and the pages, whose blocks are tests themselves.

A page gets a fresh lab or KUBECONFIG's cluster and the real kubectl, and runs every block (tests/tutorial.py).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from catalogue import ROOT, demos
from testing.cluster import OwnNamespace, own_namespace
from testing.processes import running_lab
from tests.pages import CLUSTER_ONLY, pages
from tests.tutorial import Outputs, tutorials

collect = tutorials().pytest()
PAGES = {*pages()}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write into the tutorials what their commands print")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return collect(file_path, parent) if file_path in PAGES else None


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests one by one, but for those of a module which makes something once for all: a tutorial's lab, say.

    xdist's own `loadgroup` does not group under pytest 9.2 (pytest-dev/pytest-xdist#1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if shares(path) else nodeid


@cache
def shares(file: str) -> bool:
    """Whether the tests of a file share something."""
    return file.endswith(".md") or 'scope="module"' in (ROOT / file).read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use: a cluster, or a tutorial's blocks, which may wait for a rollout; slow ones first."""
    items.sort(key=lambda item: not item.get_closest_marker("slow"))
    for item in items:
        if "cluster_config" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.tutorial)
        if item.path in CLUSTER_ONLY and not os.environ.get("KUBECONFIG"):
            item.add_marker(pytest.mark.skip("KUBECONFIG names no cluster"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `demo` is run with each."""
    if "demo" in metafunc.fixturenames:
        metafunc.parametrize("demo", demos(), ids=lambda demo: demo.name)


@pytest.fixture
def cluster_config() -> str:
    """KUBECONFIG. Said aloud: a test run must not pick up whatever cluster ~/.kube/config happens to name."""
    if not (given := os.environ.get("KUBECONFIG")):
        pytest.skip("KUBECONFIG names no cluster; try: python -m lab run -- pytest -m cluster")
    return given


@pytest.fixture
def namespace(cluster_config: str) -> Iterator[OwnNamespace]:
    """A namespace of the test's own, on the cluster that KUBECONFIG names."""
    with own_namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def outputs(request: pytest.FixtureRequest) -> Iterator[Outputs]:
    """What a tutorial's commands printed; written into it with --refresh."""
    outputs = Outputs(request.path)
    yield outputs
    outputs.end()
    if request.config.getoption("refresh"):
        outputs.write()


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
        if namespaces:
            subprocess.run(delete, check=True)  # of a run that was killed
        yield shutil.copy(given, str(tmp_path_factory.mktemp("kube") / "config"))
        if namespaces:
            subprocess.run([*delete, "--wait=false"], check=True)  # of one that failed midway
        return
    with running_lab() as lab:
        yield lab
