"""What is measured of one strategy: spread and overhead, scale-out, drills."""

import asyncio
import time
from typing import Any

from compare.errors import CompareError
from compare.measurement import measuring
from compare.namespace import Namespace
from compare.strategies import Demo
from helloworld import durations

RATE = 100  # calls a second while something is done to the servers
BEFORE = 2.0  # seconds of calls before more replicas come, to see what changes
SETTLED = 5.0  # seconds, after new pods must have got their share, in which that share is counted
ATTEMPTS = 2000  # that a drill makes at least: fewer would miss what is rare
DRILLS = ("scale_in", "rolling_restart")


def deadline(demo: Demo, dns_cache: float) -> float:
    """Seconds within which new pods must get their share: the strategy's own, and the DNS cache where it asks DNS."""
    expected = demo.expectations["scale_out"]
    try:
        within = durations.seconds(expected["within"])
    except ValueError as error:
        raise CompareError(f"{demo.name}/expectations.toml: within is '{expected['within']}', {error}") from error
    return within + (dns_cache if expected["dns_cached"] else 0)


async def spread(namespace: Namespace) -> dict[str, Any]:
    """Calls one after the other over one channel, in turns with as many over plain channels to the pods themselves.

    As many plain channels as pods should answer: a call to a pod that has just been idle is slower by any channel.
    """
    expected = namespace.demo.expectations["spread"]
    backends = await namespace.ready(expected["replicas"])
    direct = [f"{b.address}:{b.port}" for b in backends.values()][: expected["backends"]]
    async with measuring(namespace, f"--count={expected['calls']}", f"--direct={','.join(direct)}") as measurement:
        result = await measurement.result(namespace.patience)
    return {"pods": sorted(backends), "client": result}


async def scale_out(namespace: Namespace, dns_cache: float) -> dict[str, Any]:
    """More replicas under calls: what the new ones get, and how long after we heard that they are ready."""
    expected = namespace.demo.expectations["scale_out"]
    old = await namespace.ready(namespace.demo.expectations["spread"]["replicas"])
    due = deadline(namespace.demo, dns_cache)
    async with measuring(namespace, "--duration=1h", f"--rate={RATE}") as measurement:
        await asyncio.sleep(BEFORE)
        scaled = time.time()
        await namespace.scale(expected["replicas"])
        backends = await namespace.ready(expected["replicas"])
        ready = max(backend.heard for backend in backends.values())
        await asyncio.sleep(ready + due + SETTLED - time.time())  # the measurement itself
        result = await measurement.stop()
    new = {address: b.heard for address, b in backends.items() if address not in old}
    got = result["backends"]
    late = [w["backends"] for w in result["windows"] if w["second"] >= ready + due - result["started"]]
    calls = sum(count for window in late for count in window.values())
    return {
        "scaled": scaled,  # this and the next by our clock, in seconds since the epoch
        "ready": new,
        "first_call_after_s": {pod: got[pod]["first_seen"] - heard for pod, heard in new.items() if pod in got},
        "within_s": due,
        "calls_of_new_pods": sum(got[pod]["calls"] for pod in new if pod in got),
        "share_of_new_pods": sum(w.get(pod, 0) for w in late for pod in new) / calls if calls else None,
        "share_counted_over_calls": calls,
        # The client's clock against ours, the delay of its log included: its times may be off by this.
        "client_clock_behind_s": measurement.heard - result["started"],
        "client": result,
    }


async def drill(namespace: Namespace, name: str) -> dict[str, Any]:
    """Take servers away under calls: failed attempts, retries counted."""
    replicas = namespace.demo.expectations["spread"]["replicas"]
    await namespace.scale(replicas)
    await namespace.gone(replicas)
    await namespace.ready(replicas)
    async with measuring(namespace, "--duration=1h", f"--rate={RATE}") as measurement:
        enough = time.time() + ATTEMPTS / RATE + 1
        if name == "scale_in":
            await namespace.scale(1)
        else:
            await namespace.restart()
        await namespace.gone(1 if name == "scale_in" else replicas)
        await asyncio.sleep(enough - time.time())
        result = await measurement.stop()
    return {"client": result}
