"""The demo's own client as a Job, which measures once: made from the pod template of its Deployment.

It measures in the cluster and prints a line of JSON, which is read from its log.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lightkube import ApiError

from compare.api import Object
from compare.errors import CompareError
from compare.namespace import CLIENT, Namespace, alongside, within

WARMUP = 60.0  # seconds that a client may take until all backends answer: the cluster's DNS may have cached others


def job(name: str, template: Object, flags: Sequence[str]) -> Object:
    """A Job that runs a pod template once, with these flags after those of its container `client`."""
    spec = template["spec"] | {"restartPolicy": "Never"}
    spec["containers"] = [
        container | {"args": [*container.get("args", []), *flags]} if container["name"] == "client" else container
        for container in spec["containers"]
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template | {"spec": spec}},
    }


@asynccontextmanager
async def measuring(namespace: Namespace, *flags: str, backends: int) -> AsyncIterator["Measurement"]:
    """Start the client with these flags; enter the block when so many backends have answered it and it measures."""
    warm = [f"--backends={backends}", f"--warmup={WARMUP:g}s"]
    connect = [f"--connect={namespace.edge}"] if namespace.edge else []
    deployment = await namespace.api.get(namespace.path("deployments", CLIENT, "apps"))
    name = f"measure-{uuid.uuid4().hex[:5]}"
    await namespace.api.create(
        namespace.name, job(name, deployment["spec"]["template"], [*flags, *warm, *connect, "--json"])
    )
    measurement = Measurement(namespace, name)
    async with alongside(measurement.follow()):
        async with within(namespace.patience + WARMUP, f"the start of {name}"):
            await measurement.begun.wait()
        yield measurement


class Measurement:
    """A client that measures."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self._namespace = namespace
        self._name = name
        self._pod = asyncio.get_running_loop().create_future()
        self._result: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.begun = asyncio.Event()
        self.heard = 0.0  # that it has begun, in seconds since the epoch by this machine's clock

    async def follow(self) -> None:
        """Read its log until it has printed its result. Raises CompareError where it ends without one."""
        pod = await self._started()
        lines: list[str] = []
        path = f"{self._namespace.path('pods', pod)}/log"
        async for line in self._namespace.api.log(path, container="client"):
            lines.append(line)
            if line.startswith("Measuring"):
                self.heard = time.time()
                self.begun.set()
            elif line.startswith("{"):
                self._result.set_result(json.loads(line))
                return
        printed = " / ".join(lines[-3:]) or "nothing"
        raise CompareError(f"the client {await self._state(pod)} without a result; it printed: {printed}")

    async def _state(self, pod: str) -> str:
        """How the client's container ended, as its pod has it."""
        try:
            status = (await self._namespace.api.get(self._namespace.path("pods", pod)))["status"]
        except ApiError:
            return "was deleted"
        state: Object = next((c["state"] for c in status["containerStatuses"] if c["name"] == "client"), {})
        ended = state.get("terminated", {})
        return f"ended with exit code {ended['exitCode']} ({ended['reason']})" if ended else "lost its log"

    async def _started(self) -> str:
        """Wait until the container runs, or has; return its pod's name."""
        label = f"batch.kubernetes.io/job-name={self._name}"
        async for pods in self._namespace.api.watch(self._namespace.path("pods"), labelSelector=label):
            for name, pod in pods.items():
                for status in pod["status"].get("containerStatuses", ()):
                    if status["name"] == "client" and status["state"].keys() & {"running", "terminated"}:
                        self._pod.set_result(name)
                        return name
        raise AssertionError("a watch has no end")

    async def result(self, limit: float) -> dict[str, Any]:
        """Wait, this many seconds at most, until it has come to its end; return what it printed."""
        async with within(limit, f"the end of {self._name}"):
            return await asyncio.shield(self._result)

    async def stop(self) -> dict[str, Any]:
        """End it by SIGTERM, upon which it prints what it has; return that."""
        await self._namespace.api.request("DELETE", self._namespace.path("pods", await self._pod))
        return await self.result(self._namespace.patience)
