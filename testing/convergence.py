"""How soon a change of a Service's EndpointSlices reaches calls, and in time: on the cluster that KUBECONFIG names."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import endpoint_watch
from compare.api import Object
from testing.cluster import OwnNamespace, deployment, pod_spec, stop, until

RATE = 200  # calls a second


class Heard:
    """When we heard that an address came to be ready, and that it went: seconds since the epoch."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.came: dict[str, float] = {}
        self.went: dict[str, float] = {}

    async def follow(self) -> None:
        now: set[str] = set()
        async with endpoint_watch.connect() as api:
            watch = endpoint_watch.watch(api, ["greeter-server"], namespace=self._namespace, port="grpc")
            async for snapshot in watch:
                heard = time.time() - (time.monotonic() - snapshot.heard)
                found = {endpoint.address for endpoint in snapshot.endpoints}
                self.came |= dict.fromkeys(found - now, heard)
                self.went |= dict.fromkeys(now - found, heard)
                now = found


@contextmanager
def hearing(namespace: OwnNamespace) -> Iterator[Heard]:
    """Watch the EndpointSlices as a balancer does, for the length of the block."""
    heard = Heard(namespace.name)
    loop = asyncio.new_event_loop()
    task = loop.create_task(heard.follow())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    try:
        until("the first list", lambda: heard.came)
        yield heard
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def measured(namespace: OwnNamespace, rounds: int = 4, most: int = 8, least: int = 3) -> dict[str, Any]:
    """Scale so many rounds up and down under calls. What the client counted, with the delays in seconds, in order:
    `first`, of a new pod's first call; `last`, of a removed one's last; each after its EndpointSlice.

    Several pods at once: the fewer waits, the sooner it is over.
    """
    with hearing(namespace) as heard:
        measurement = namespace.measure("--duration=1h", f"--rate={RATE}")
        for _ in range(rounds):
            for replicas in (most, least):
                namespace.scale(replicas)
                namespace.wait_ready(replicas)
                time.sleep(0.5)  # of calls in between
        result = measurement.stop()
    seen = result["backends"]
    new = [address for address, came in heard.came.items() if came > result["started"]]
    result["first"] = sorted(seen[address]["first_seen"] - heard.came[address] for address in new)
    result["last"] = sorted(
        seen[address]["last_seen"] - went for address, went in heard.went.items() if address in seen
    )
    for which, what in (("first", "first call of a new pod"), ("last", "last call of a removed one")):
        ms = [1000 * delay for delay in result[which]]
        print(f"{what}, after its EndpointSlice: p50 {ms[len(ms) // 2]:.0f} ms, p99 {ms[-1]:.0f} ms, of {len(ms)}")
    return result


def failed_by_servers_that_hang_up(
    namespace: OwnNamespace, objects: list[Object], teller: str, *, told: bool, restarts: int = 1
) -> int:
    """How many attempts fail while servers are replaced, so often, that end in the midst of calls upon SIGTERM.

    Each client has a call under way at any time: what is left is the preStop. Without the component `teller` nobody
    tells them in it.
    """
    spec = deployment(objects)["spec"]
    spec["minReadySeconds"] = 0
    spec["strategy"] = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
    [server] = pod_spec(objects)["containers"]
    assert server["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}  # what the manifest has is enough
    server["args"] += ["--drain=0s", "--grace=0s", "--faults"]
    namespace.apply_objects(objects)
    namespace.rolled_out()
    namespace.wait_ready(3)
    slow = ("--duration=1h", "--rate=10", "--metadata=fault=delay=100ms")
    measurements = [namespace.measure(*slow) for _ in range(4)]
    if not told:
        namespace.take_away(teller)
    for _ in range(restarts):
        namespace.kubectl("rollout", "restart", "deployment/greeter-server")
        namespace.rolled_out()
        namespace.gone(3)
    failed, attempts, results = stop(measurements)
    print(f"no drain, {'told' if told else 'not told'}: {failed} of {attempts} attempts failed")
    for result in results:
        print(result["failure_details"])
    return failed
