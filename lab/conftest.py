"""Fixtures of the lab's own tests; those of one component are in its folder."""

from collections.abc import Iterator

import pytest

from lab.apimachinery.store import Store
from lab.network import Network
from lab.testing import namespace


@pytest.fixture
def store() -> Store:
    """A store with the namespace `shop`."""
    store = Store()
    namespace(store)
    return store


@pytest.fixture
def network() -> Iterator[Network]:
    """A /24 of the test's own."""
    network = Network.take()
    yield network
    network.close()
