"""An API server, and who speaks to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.testing.hollow import Call, HollowLab, client, hollow_lab
from lab.testing.kubectl import Kubectl, kubectl_of


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[HollowLab]:
    async with hollow_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
async def call(lab: HollowLab) -> AsyncIterator[Call]:
    """Makes requests."""
    async with client(lab) as call:
        yield call


@pytest.fixture
def kubectl(lab: HollowLab, tmp_path: Path) -> Kubectl:
    """Runs the real one."""
    return kubectl_of(lab, tmp_path)
