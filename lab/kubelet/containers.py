"""One container of a pod over all its runs: created, restarted with back-off, stopped; and its status.

Stands for SyncPod of the kubelet's runtime manager (k8s.io/kubernetes/pkg/kubelet/kuberuntime). Reasons, messages and
events are the kubelet's own, seen on Kubernetes 1.34.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Literal

from lab.apimachinery.store import Object, now
from lab.kubelet import container_config, loopback_hints, streaming
from lab.kubelet.container_config import ContainerConfig, PodNetwork
from lab.kubelet.container_run import ContainerRun
from lab.kubelet.environment import ConfigError
from lab.kubelet.node import Node
from lab.kubelet.podlogs import log_path
from lab.kubelet.volumes import MountError
from lab.runtime import images
from lab.runtime.processes import StartError

log = logging.getLogger(__name__)

SYNC = 1.0  # seconds for which a status says what happened (Error, ErrImagePull) before it says what is waited for
START_ERROR = 128  # the exit code of what couldn't be started
NEVER = "1970-01-01T00:00:00Z"
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 300.0  # seconds


class RestartBackoff:
    """How long a container that keeps ending waits to be started again: not at first, then 10 s, doubled up to 5 min.

    Stands for flowcontrol.Backoff of client-go as the kubelet uses it.
    """

    def __init__(self) -> None:
        self._delay = 0.0
        self._updated = -math.inf

    def delay(self, ended: float) -> float:
        """How many seconds after its end, by the loop's clock, a container may start; after 10 min it starts afresh."""
        return self._delay if ended - self._updated <= 2 * LONGEST_BACKOFF else 0.0

    def next(self, ended: float) -> None:
        """Take note that it is started again after this end."""
        self._delay = min(self.delay(ended) * 2 or FIRST_BACKOFF, LONGEST_BACKOFF)
        self._updated = asyncio.get_running_loop().time()


def go_duration(seconds: float) -> str:
    """`10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


class Container:
    """A container. `pod` is to be kept up to date; `changed` is called at each change of its status."""

    def __init__(self, node: Node, pod: Object, spec: Object, restart_policy: str, changed: Callable[[], None]) -> None:
        self.pod = pod
        self.spec = spec
        self.started = asyncio.Event()  # it runs, and its startup probe has passed
        self._node, self._restart_policy, self._changed = node, restart_policy, changed
        waits = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
        self._state: Object = {"waiting": {"reason": waits}}
        self._last_state: Object = {}
        self._restarts = 0
        self._ready = False
        self._id = ""
        self.current: ContainerRun | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def status(self) -> Object:
        """Its containerStatus."""
        image = images.full_name(self.spec["image"])
        found = {
            "name": self.spec["name"],
            "state": self._state,
            "lastState": self._last_state,
            "ready": self._ready,
            "started": self.started.is_set(),
            "restartCount": self._restarts,
            "image": image if self._id else self.spec["image"],
            "imageID": image if self._id else "",
        }
        return found | ({"containerID": self._id} if self._id else {})

    def begin(self, network: PodNetwork) -> None:
        """Start it, and again after each end for which its restart policy says so."""
        self._task = asyncio.create_task(self._keep_running(network))
        self._task.add_done_callback(self._report)

    async def ended(self) -> int | None:
        """Wait until it has ended for good; return its last exit code, None where it never ran."""
        if self._task:
            await asyncio.wait([self._task])
        terminated = self._state.get("terminated")
        return terminated["exitCode"] if terminated else None

    async def stop(self, grace: float, after: Iterable[asyncio.Task[None]] = ()) -> None:
        """End it for good: preStop, SIGTERM once `after` are done, SIGKILL when the grace period (seconds) is over."""
        self._stopping = True
        if self.current:
            self.record("Normal", "Killing", f"Stopping container {self.spec['name']}")
            await self.current.terminate(grace, after)
        elif self._task:
            self._task.cancel()
        await self.ended()

    def kill(self) -> None:
        """End its program at once."""
        if self.current:
            self.current.kill()

    async def close(self) -> None:
        """Give it up with all its processes, as when the lab ends."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def record(self, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Record an event about it."""
        self._node.record(self.pod, kind, reason, message, self.spec)

    def _report(self, task: asyncio.Task[None]) -> None:
        """Say so where looking after it has failed."""
        if not task.cancelled() and (error := task.exception()):
            meta = self.pod["metadata"]
            where = f"container {self.spec['name']} of pod {meta['namespace']}/{meta['name']}"
            log.error("%s can't be looked after any more; delete the pod", where, exc_info=error)

    def on_started(self) -> None:
        """Its startup probe has passed."""
        self.started.set()
        self._changed()

    def on_ready(self, *, ready: bool) -> None:
        """It may get traffic, or may no more."""
        self._ready = ready
        self._changed()

    async def _keep_running(self, network: PodNetwork) -> None:
        backoff = RestartBackoff()
        while True:
            code = await self._run_once(network)
            ended = asyncio.get_running_loop().time()
            if self._stopping or self._restart_policy == "Never" or (self._restart_policy == "OnFailure" and not code):
                return
            await self._back_off(backoff, ended)
            self._last_state = self._state if "terminated" in self._state else self._last_state
            self._restarts += 1

    async def _run_once(self, network: PodNetwork) -> int:
        """Create and start it and wait until it ends; return its exit code."""
        config = await self._create(network)
        name, pod = self.spec["name"], self.pod
        output = log_path(self._node.state, pod, name, self._restarts)
        output.with_stem(str(self._restarts - 2)).unlink(missing_ok=True)  # --previous shows the last one, no older
        self._id = f"lab://{secrets.token_hex(32)}"
        self.record("Normal", "Created", f"Created container: {name}")
        if hint := loopback_hints.of_command(config.argv):
            self.record("Warning", "MachinesResolver", hint)
        with closing(streaming.stdio(self.spec)) as stdio:
            try:
                process = await config.start(output, stdio)
            except StartError as error:
                self._could_not_start(f"unable to start container process: {error}")
                return START_ERROR
            started = now()
            self.record("Normal", "Started", f"Started container {name}")
            self.current = ContainerRun(process, config, self, stdio, output)
            self._set({"running": {"startedAt": started}})
            try:
                code = await self.current.serve()
            finally:
                self.current = None
        self._set(self._terminated(code, "Error" if code else "Completed", started))
        if code and (hint := loopback_hints.of_end(output)):
            self.record("Warning", "AddressInUse", hint)
        return code

    async def _create(self, network: PodNetwork) -> ContainerConfig:
        """Get its image and configuration, however long it takes until they are there."""
        while True:
            try:
                image = images.find(self.spec["image"])
                self.record("Normal", "Pulled", f'Container image "{self.spec["image"]}" already present on machine')
                if image.other:
                    told = f"the lab runs {image.other} in the place of {self.spec['image']}, which it does not have"
                    self.record("Warning", "OtherVersion", told)
                return container_config.generate(self._node, self.pod, self.spec, network)
            except images.ImageError as error:
                await self._miss_image(str(error))
            except ConfigError as error:
                self.record("Warning", "Failed", f"Error: {error}")
                self._wait_for("CreateContainerConfigError", str(error))
            except MountError as error:
                self.record("Warning", "FailedMount", str(error))
            await self._node.change("configmaps", "secrets")

    async def _miss_image(self, error: str) -> None:
        """Say that it can't be pulled; no other image will come to be there, so wait until the pod is deleted."""
        image = self.spec["image"]
        self.record("Normal", "Pulling", f'Pulling image "{image}"')
        self.record("Warning", "Failed", f'Failed to pull image "{image}": {error}')
        self.record("Warning", "Failed", "Error: ErrImagePull")
        self._wait_for("ErrImagePull", error)
        await asyncio.sleep(SYNC)
        self.record("Normal", "BackOff", f'Back-off pulling image "{image}"')
        self.record("Warning", "Failed", "Error: ImagePullBackOff")
        self._wait_for("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
        await asyncio.Event().wait()

    async def _back_off(self, backoff: RestartBackoff, ended: float) -> None:
        """Wait until it may be started again."""
        delay = backoff.delay(ended)
        if delay:
            await asyncio.sleep(SYNC)
            meta, name = self.pod["metadata"], self.spec["name"]
            pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
            self.record("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
            if terminated := self._state.get("terminated"):
                self._last_state = {"terminated": terminated}
            message = f"back-off {go_duration(delay)} restarting failed container={name} pod={pod}"
            self._wait_for("CrashLoopBackOff", message)
            await asyncio.sleep(ended + delay - asyncio.get_running_loop().time())
        backoff.next(ended)

    def _could_not_start(self, message: str) -> None:
        """A program that can't be executed has ended before it began."""
        self.record("Warning", "Failed", f"Error: {message}")
        terminated = self._terminated(START_ERROR, "StartError", NEVER)
        terminated["terminated"]["message"] = message
        if self._restart_policy == "Never":
            self._set(terminated)
        else:
            self._last_state = terminated
            self._wait_for("RunContainerError", message)

    def _terminated(self, code: int, reason: str, started: str) -> Object:
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
        return {"terminated": ended | {"containerID": self._id}}

    def _wait_for(self, reason: str, message: str) -> None:
        self._set({"waiting": {"reason": reason, "message": message}})

    def _set(self, state: Object) -> None:
        """Its new state; only one that runs is ready or started."""
        self._state = state
        if "running" not in state:
            self._ready = False
            self.started.clear()
        self._changed()
