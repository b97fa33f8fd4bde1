"""Faults on request, so that a drill can break one backend from outside on any cluster.

A call's metadata asks for them, and only a server started with `--faults` obeys:

| `fault`             | this call                                | with `fault-for: 30s`, for that long              |
|---------------------|------------------------------------------|---------------------------------------------------|
| `delay=200ms`       | is answered that much later              | so is every call                                  |
| `error=UNAVAILABLE` | fails with that status code              | so does every call; health still says SERVING     |
| `hang`              | is never answered                        | nothing is, health included: the process is stuck |
| `unready`           | (`fault-for` must be given)              | the greeter's health is NOT_SERVING, it answers   |
| `crash`             | takes the process down, with exit code 1 | (the same)                                        |

It must be asked of the program: in a container it is pid 1, which the kernel shields from SIGKILL and SIGSTOP.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from helloworld import durations

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext  # whatever its request and response types


class Faults:
    def __init__(self, health_servicer: health.aio.HealthServicer, service: str) -> None:
        self._health = health_servicer
        self._service = service
        self._unready: asyncio.Task[None] | None = None
        self._lasting = ""
        self._until = 0.0  # time.monotonic()

    async def inflict(self, metadata: Mapping[str, str], context: "Context[Any, Any]") -> None:
        """Do what the call's metadata asks for, or what an earlier call asked for until now.

        Aborts the call with INVALID_ARGUMENT where the fault asked for is none.
        """
        fault = metadata.get("fault", "")
        if not fault:
            if time.monotonic() < self._until:
                await self._do(self._lasting, context)
            return
        try:
            lasts = durations.seconds(metadata.get("fault-for", "0s"))
            self._check(fault, lasts)
        except ValueError as error:
            asked = f"fault '{fault}' for '{metadata.get('fault-for', '0s')}'"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{asked} is {error}")
        log.warning("Fault asked for by %s: %s for %gs", context.peer(), fault, lasts)
        if fault == "hang" and lasts:
            time.sleep(lasts)  # noqa: ASYNC251  stuck as a whole is the point
            return
        if fault == "unready":
            self._unready = asyncio.create_task(self._say_not_serving(lasts))
            return
        self._lasting, self._until = fault, time.monotonic() + lasts
        await self._do(fault, context)

    async def _say_not_serving(self, seconds: float) -> None:
        await self._health.set(self._service, HealthCheckResponse.NOT_SERVING)
        await asyncio.sleep(seconds)
        await self._health.set(self._service, HealthCheckResponse.SERVING)

    @staticmethod
    def _check(fault: str, lasts: float) -> None:
        kind, _, value = fault.partition("=")
        if kind == "delay" and durations.seconds(value) >= 0:
            return
        if kind == "error" and value in grpc.StatusCode.__members__ and value != "OK":
            return
        if fault in ("hang", "crash") or (fault == "unready" and lasts):
            return
        known = "delay=200ms, error=UNAVAILABLE, hang, crash, or unready with fault-for=30s"
        raise ValueError(f"none; ask for {known}")

    @staticmethod
    async def _do(fault: str, context: "Context[Any, Any]") -> None:
        kind, _, value = fault.partition("=")
        deeds: dict[str, Callable[[], Awaitable[Any]]] = {
            "delay": lambda: asyncio.sleep(durations.seconds(value)),
            "error": lambda: context.abort(grpc.StatusCode[value], "asked for by fault metadata"),
            "hang": asyncio.Event().wait,
            "crash": _crash,
        }
        await deeds[kind]()


async def _crash() -> NoReturn:
    os._exit(1)
