"""The loop of a controller, which client-go's informers and workqueue are in Kubernetes.

A controller is a function that brings one object into the state it should have, from what the store says now
(level-triggered). It is called once for however many events came meanwhile, and runs whole: no other component sees
the store between two of its writes, so it needs none of the real controllers' "expectations" and retries on conflict.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from lab.apimachinery.store import Event, Store

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0  # seconds before an object whose reconciliation failed is tried again

Key = tuple[str, ...]  # what names an object: mostly its namespace and name


class WorkQueue:
    """Keys that wait for their turn, each once, some of them until later."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._added = asyncio.Event()

    def add(self, key: Key, after: float = 0) -> None:
        """Have this key come up after so many seconds, or earlier where it waits for an earlier turn already."""
        due = asyncio.get_running_loop().time() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._added.set()

    async def get(self) -> Key:
        """Wait for the next turn; return and forget its key."""
        while True:
            self._added.clear()
            key = min(self._due, key=lambda key: self._due[key], default=None)
            wait = self._due[key] - asyncio.get_running_loop().time() if key else None
            if key and wait is not None and wait <= 0:
                del self._due[key]
                return key
            try:
                async with asyncio.timeout(wait):
                    await self._added.wait()
            except TimeoutError:
                continue  # a turn has come


async def control(
    store: Store,
    resources: Iterable[str],
    keys: Callable[[Event], Iterable[Key]],
    reconcile: Callable[[Key], float | None],
) -> None:
    """Call `reconcile` for the `keys` of every event of these resources, until cancelled.

    It returns the seconds after which it wants to see the same key again, if ever. Where it raises, the error is
    logged and that key tried again later, so that one broken object doesn't stop the care of the others.
    """
    queue = WorkQueue()
    retries: dict[Key, float] = {}

    async def feed() -> None:
        with store.watch(resources) as events:
            async for event in events:
                for key in keys(event):
                    queue.add(key)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed())
        while True:
            key = await queue.get()
            try:
                again = reconcile(key)
                retries.pop(key, None)
            except Exception:
                again = retries[key] = min(retries.get(key, FIRST_RETRY / 2) * 2, LAST_RETRY)
                log.exception("%s failed for %s, next try in %.0f s", reconcile.__qualname__, "/".join(key), again)
            if again is not None:
                queue.add(key, again)
            await asyncio.sleep(0)  # let others in between two objects
