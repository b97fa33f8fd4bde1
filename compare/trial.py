"""What is measured of one strategy: spread and overhead, scale-out, drills."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

from catalogue import Demo
from compare.errors import CompareError
from compare.job import measuring
from compare.namespace import CLIENT, COMPONENT, SERVER, Namespace
from helloworld import durations

Tell = Callable[[str], None]  # what is going on

RATE = 100  # calls a second while something is done to the servers
LASTING = ("--duration=1h", f"--rate={RATE}")  # until it is stopped
BEFORE = 2.0  # seconds of calls before more replicas come, to see what changes
SETTLED = 5.0  # seconds, after new pods must have got their share, in which that share is counted
ATTEMPTS = 2000  # that a drill makes at least: fewer would miss what is rare
# Of a drill, by what is done: the keys that it must have, and those that it may: what is promised; nothing is without.
KEYS = {
    "scale_in": ((), ("failed_attempts",)),
    "rolling_restart": ((), ("failed_attempts",)),
    "away": (("component", "away"), ("failed_attempts", "new_pods_within", "dns_cached")),
}
DURATIONS = ("away", "new_pods_within")


def deadline(demo: Demo, dns_cache: float) -> float:
    """Seconds within which new pods must get their share: the strategy's own, and the DNS cache where it asks DNS."""
    expected = demo.expectations["scale_out"]
    try:
        within = durations.seconds(expected["within"])
    except ValueError as error:
        raise CompareError(f"{demo.name}/expectations.toml: within is '{expected['within']}', {error}") from error
    return within + (dns_cache if expected["dns_cached"] else 0)


async def spread(demo: Demo, namespace: Namespace) -> dict[str, Any]:
    """Calls one after the other over one channel, in turns with as many over plain channels to the pods themselves.

    As many plain channels as pods should answer: a call to a pod that has just been idle is slower by any channel.
    """
    expected = demo.expectations["spread"]
    backends = await namespace.ready(expected["replicas"])
    direct = [f"{b.address}:{b.port}" for b in backends.values()][: expected["backends"]]
    flags = (f"--count={expected['calls']}", f"--direct={','.join(direct)}")
    async with measuring(namespace, *flags, backends=expected["backends"]) as measurement:
        result = await measurement.result(namespace.patience)
    return {"pods": sorted(backends), "client": result}


async def scale_out(demo: Demo, namespace: Namespace, dns_cache: float, tell: Tell) -> dict[str, Any]:
    """More replicas under calls: what the new ones get, and how long after we heard that they are ready."""
    expected, spread = demo.expectations["scale_out"], demo.expectations["spread"]
    old = await namespace.ready(spread["replicas"])
    due = deadline(demo, dns_cache)
    async with measuring(namespace, *LASTING, backends=spread["backends"]) as measurement:
        await asyncio.sleep(BEFORE)
        scaled = time.time()
        await namespace.scale(expected["replicas"])
        backends = await namespace.ready(expected["replicas"])
        ready = max(backend.heard for backend in backends.values())
        await count_down(ready + due + SETTLED, "counts what new pods get", tell)  # the measurement itself
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


async def drill(demo: Demo, namespace: Namespace, name: str, dns_cache: float, tell: Tell) -> dict[str, Any]:
    """Take something away under calls: failed attempts, retries counted; and what is seen of `away`, below."""
    drill, spread = demo.expectations["drills"][name], demo.expectations["spread"]
    replicas = spread["replicas"]
    await namespace.scale(replicas)
    await namespace.gone(replicas)
    old = await namespace.ready(replicas)
    figures: dict[str, Any] = {}
    async with measuring(namespace, *LASTING, backends=spread["backends"]) as measurement:
        enough = time.time() + 2 * ATTEMPTS / RATE  # a client on a busy machine makes half as many
        if drill["do"] == "scale_in":
            await namespace.scale(1)
            await namespace.gone(1)
        elif drill["do"] == "rolling_restart":
            await namespace.restart()
            await namespace.gone(replicas)
        else:
            figures = await _away(namespace, drill, demo.expectations["scale_out"]["replicas"], old, dns_cache, tell)
        await count_down(enough, "makes calls enough", tell)
        result = await measurement.stop()
    if drill["do"] == "away":
        got = result["backends"]
        figures["first_call_after_s"] = {
            pod: got[pod]["first_seen"] - max(heard, figures["back"])
            for pod, heard in figures["ready"].items()
            if pod in got
        }
        figures["client_clock_behind_s"] = measurement.heard - result["started"]
    return figures | {"client": result}


async def _away(
    namespace: Namespace, drill: dict[str, Any], replicas: int, old: Collection[str], dns_cache: float, tell: Tell
) -> dict[str, Any]:
    """Every Deployment of a component has no pod for a while, in which new servers come; then it has its pods again."""
    wanted = await namespace.replicas(drill["component"])
    for deployment in wanted:
        await namespace.scale(0, deployment)
    await namespace.gone(0, drill["component"])
    gone = time.time()
    await namespace.scale(replicas)
    await count_down(time.time() + durations.seconds(drill["away"]), f"{drill['component']} is away", tell)
    for deployment, number in wanted.items():
        await namespace.scale(number, deployment)
    await namespace.rolled_out(*wanted)
    back = time.time()  # our receipt of the watch's event
    ready = {a: b.heard for a, b in (await namespace.ready(replicas)).items() if a not in old}
    due = durations.seconds(drill.get("new_pods_within", "0")) + (dns_cache if drill.get("dns_cached") else 0)
    await count_down(max(back, *ready.values()) + due + SETTLED, "waits for new pods' calls", tell)
    # The first three by our clock, in seconds since the epoch.
    return {"gone": gone, "back": back, "ready": ready, "within_s": due, "watched_s": due + SETTLED}


async def count_down(moment: float, what: str, tell: Tell) -> None:
    """Let the measurement go on until then, by our clock, and tell each second how long that is."""
    while (left := moment - time.time()) > 0:
        tell(f"{what}: {left:.0f} s")
        await asyncio.sleep(min(left, 1))


def check_drills(demo: Demo) -> None:
    """Raises CompareError for a drill that can't be made as it is written."""
    drills = demo.expectations["drills"]
    for name, drill in drills.items() if isinstance(drills, dict) else [("NAME", drills)]:
        if wrong := _wrong(demo, drill):
            raise CompareError(f"{demo.name.partition('/')[0]}/expectations.toml: drills.{name}{wrong}")


def _wrong(demo: Demo, drill: Any) -> str:
    if not isinstance(drill, dict):
        return f' is {drill}, no table; write {{do = "scale_in", failed_attempts = 0}}'
    do = drill.get("do")
    if not isinstance(do, str) or do not in KEYS:
        return f".do is '{do}', which is no drill; write {', '.join(KEYS)}"
    must, may = KEYS[do]
    if lacking := [key for key in must if key not in drill]:
        return f" lacks {', '.join(lacking)}; see compare/README.md"
    for key, value in drill.items():
        if key not in ("do", *must, *may):
            return f".{key} is nothing that {do} knows; write {', '.join((*must, *may))}"
        if key == "failed_attempts" and not (type(value) is int and value >= 0):
            return f".{key} is '{value}', no number of attempts; write 0 say"
        if key == "dns_cached" and not isinstance(value, bool):
            return f".{key} is '{value}'; write true or false"
        if key in DURATIONS:
            try:
                durations.seconds(str(value))
            except ValueError as error:
                return f".{key} is '{value}', {error}"
    there = [
        obj["metadata"].get("labels", {}).get(COMPONENT)
        for obj in (demo.objects() if do == "away" else ())
        if obj["kind"] == "Deployment" and obj["metadata"]["name"] not in (SERVER, CLIENT)
    ]
    if do == "away" and drill["component"] not in there:
        known = ", ".join(sorted(set(filter(None, there)))) or "none"
        return (
            f".component is '{drill['component']}'; name one that the manifests have beside servers and client: {known}"
        )
    return ""
