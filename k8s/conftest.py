"""Every test gets a namespace of its own."""

import os
from collections.abc import Iterator

import pytest

from compare.strategies import demos
from k8s import cluster


@pytest.fixture
def namespace() -> Iterator[cluster.Namespace]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    with cluster.namespace() as namespace:
        yield namespace


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "demo" in metafunc.fixturenames:
        metafunc.parametrize("demo", demos(), ids=lambda demo: demo.name)
