"""Fixtures of the lab's own tests; those of one component are in its folder."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.apimachinery.store import Store
from lab.network import Network
from lab.testing import namespace
from lab.testing.pod_lab import PodLab, pod_lab


@pytest.fixture
def store() -> Store:
    """A store with the namespace `shop`."""
    store = Store()
    namespace(store)
    return store


@pytest.fixture
def network() -> Iterator[Network]:
    """A /24 of the test's own."""
    with closing(Network.take()) as network:
        yield network


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[PodLab]:
    """A node that runs pods; nothing is left of them at the end."""
    async with pod_lab(tmp_path) as lab:
        yield lab
