"""The tests' own API, and the connection to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from endpoint_watch import Api, connect
from testing.endpoint_watch import FakeApi, kubeconfig, serving


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with serving() as api:
        yield api


@pytest.fixture
async def api(server: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """A connection to `server`."""
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(server.url)))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with connect() as api:
        yield api
