"""The cluster that KUBECONFIG names, or else a lab: an edge has to have a cluster behind it."""

import os
import shutil
from collections.abc import Iterator

import pytest

from testing.processes import running_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[str]:
    """Its kubeconfig."""
    with running_lab() as config:
        yield config


@pytest.fixture
def cluster_config(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if given := os.environ.get("KUBECONFIG"):
        return given
    if not shutil.which("kubectl") and not os.environ.get("CI"):
        pytest.skip("kubectl is not on PATH")
    config: str = request.getfixturevalue("lab")
    monkeypatch.setenv("KUBECONFIG", config)
    return config
