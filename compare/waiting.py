"""Waiting with a deadline, and while something else must go on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from compare.errors import CompareError


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Raises CompareError where the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise CompareError(f"{what}: not within {seconds:g} s") from None


@asynccontextmanager
async def alongside(*companions: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these for the length of the block, which the first error among them ends: that error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(companion) for companion in companions]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as errors:
        error = errors.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
