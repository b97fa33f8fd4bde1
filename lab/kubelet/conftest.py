"""A node that runs pods."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.testing.pod_lab import PodLab, pod_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[PodLab]:
    """Nothing is left of its pods at the end."""
    async with pod_lab(tmp_path) as lab:
        yield lab
