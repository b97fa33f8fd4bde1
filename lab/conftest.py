"""Fixtures of the lab's own tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.testing.pod_lab import PodLab, pod_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[PodLab]:
    """A node that runs pods; nothing is left of them at the end."""
    async with pod_lab(tmp_path) as lab:
        yield lab
