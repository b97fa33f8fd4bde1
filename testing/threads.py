"""What is asynchronous, for plain blocking tests."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import grpc

from endpoint_watch.serving import end

UNWIND = 0.5  # seconds


class InThread:
    """A server of grpc.aio in a thread and a loop of its own: what a subclass starts as `_server`."""

    _server: grpc.aio.Server

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def _call(self, what: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return what()

        return self._run(call())

    def tasks(self) -> int:
        """How many are there now."""
        return int(self._call(lambda: len(asyncio.all_tasks(self._loop))))

    def _end(self, stop: Callable[[], None], grace: float) -> None:
        """As at SIGTERM, where it has not ended yet."""

        async def ended() -> None:
            await end(self._server, stop, grace)
            # Calls that gRPC has cut off are being done with: it logs an error where their tasks are cancelled twice.
            if rest := asyncio.all_tasks() - {asyncio.current_task()}:
                _, rest = await asyncio.wait(rest, timeout=UNWIND)
            for task in rest:
                task.cancel()

        if self._thread.is_alive():
            self._run(ended())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
