"""A container's probes over time: how often they are made, and how many in a row it takes to believe them.

Stands for the workers of k8s.io/kubernetes/pkg/kubelet/prober.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from enum import Enum

from lab.apimachinery.store import Object
from lab.kubelet.probes import ProbeErrored, ProbeFailed, Target, check

Results = AsyncGenerator[bool, None]


class Kind(Enum):
    """What is asked of a container."""

    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"


# What a container is before its probe has said anything.
BEFORE = {Kind.STARTUP: None, Kind.READINESS: False, Kind.LIVENESS: True}


async def results(
    kind: Kind, probe: Object, target: Target, started: float, unhealthy: Callable[[str], None]
) -> Results:
    """Probe from now on, and give each change of what is to be believed; `unhealthy` is told of every bad try.

    `started` is when, by the loop's clock, the container started. A startup probe ends with its first result, a
    liveness probe with its first failure: the container is restarted then.
    """
    loop = asyncio.get_running_loop()
    tick = max(loop.time(), started + probe.get("initialDelaySeconds", 0))
    believed, last, in_a_row = BEFORE[kind], None, 0
    while True:
        await asyncio.sleep(tick - loop.time())
        tick = max(tick + probe["periodSeconds"], loop.time())
        try:
            await check(probe, target)
            result = True
        except ProbeFailed as failure:
            unhealthy(f"{kind.value} probe failed: {failure}")
            result = False
        except ProbeErrored as error:
            unhealthy(f"{kind.value} probe errored and resulted in unknown state: {error}")
            continue
        in_a_row = in_a_row + 1 if result == last else 1
        last = result
        if result == believed or in_a_row < probe["successThreshold" if result else "failureThreshold"]:
            continue
        believed = result
        yield result
        if kind is Kind.STARTUP or (kind is Kind.LIVENESS and not result):
            return
