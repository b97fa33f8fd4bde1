"""One run of a container's program: its probes, its hook, and how it is told to end.

Stands for startContainer and killContainer of k8s.io/kubernetes/pkg/kubelet/kuberuntime, and lifecycle handlers; of
these there is preStop alone.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab.apimachinery.store import Object
from lab.kubelet import probes
from lab.kubelet.container_config import ContainerConfig
from lab.kubelet.probes import Kind, ProbeErrored, ProbeFailed, Target, http_get
from lab.kubelet.streaming import Attachment, Execution
from lab.runtime.processes import Process, StartError
from lab.runtime.stdio import Stdio

if TYPE_CHECKING:
    from lab.kubelet.containers import Container

MINIMUM_GRACE = 2.0  # seconds between SIGTERM and SIGKILL, also where preStop has used up the grace period


class ContainerRun:
    """A program that has just been started. Its Container, the observer, is told of events and results of probes."""

    def __init__(
        self, process: Process, config: ContainerConfig, observer: "Container", stdio: Stdio, log: Path
    ) -> None:
        self._process, self._config, self._spec, self._observer = process, config, observer.spec, observer
        self._stdio, self._log = stdio, log
        self._attached = False
        self._executions: set[Execution] = set()
        self._target = Target(config.loopback.pod_ip, self._spec, config.execute)
        self._terminating = False

    async def serve(self) -> int:
        """Look after it until it has ended; return its exit code."""
        care = asyncio.create_task(self._care())
        try:
            return await self._process.wait()
        finally:
            care.cancel()
            await self._process.kill()
            for execution in list(self._executions):
                await execution.process.kill()
            await asyncio.wait([care])
            if not care.cancelled():
                care.result()

    async def terminate(self, grace: float, after: Iterable[asyncio.Task[None]] = ()) -> None:
        """preStop, then SIGTERM once `after` are done, then SIGKILL at the end of the grace period (in seconds)."""
        again, self._terminating = self._terminating, True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                hook = self._spec.get("lifecycle", {}).get("preStop")
                if hook and not again:
                    await self._pre_stop(hook)
                if after := list(after):
                    await asyncio.wait(after)
        self._process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout_at(max(deadline, loop.time() + min(grace, MINIMUM_GRACE))):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    @asynccontextmanager
    async def exec(self, command: list[str], *, stdin: bool, tty: bool) -> AsyncIterator[Execution]:
        """Run a command beside the program for the length of the block; it ends with the program, too.

        Raises processes.StartError.
        """
        with closing(Stdio.on_terminal() if tty else Stdio.pipes(stdin=stdin, outputs=True)) as stdio:
            execution = Execution(await self._config.begin(command, stdio), stdio)
            self._executions.add(execution)
            try:
                yield execution
            finally:
                self._executions.discard(execution)
                await execution.process.kill()

    @asynccontextmanager
    async def attach(self) -> AsyncIterator[Attachment]:
        """The program's own output from now on, and its stdin; the first who may write to that misses nothing."""
        first, self._attached = self._stdio.stdin is not None and not self._attached, True
        start = 0 if first else self._log.stat().st_size
        yield Attachment(self._process, self._stdio, self._log, start, once=self._spec.get("stdinOnce", False))

    def kill(self) -> None:
        """SIGKILL."""
        self._process.signal(signal.SIGKILL)

    async def _care(self) -> None:
        started = asyncio.get_running_loop().time()
        if "startupProbe" in self._spec and not await self._has_started(started):
            return
        self._observer.on_started()
        if "readinessProbe" not in self._spec:
            self._observer.on_ready(ready=True)
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in self._spec:
                group.create_task(self._watch_readiness(started))
            if "livenessProbe" in self._spec:
                group.create_task(self._watch_liveness(started))

    async def _has_started(self, started: float) -> bool:
        async with aclosing(self._results(Kind.STARTUP, started)) as results:
            async for passed in results:
                if not passed:
                    await self._restart_unhealthy(Kind.STARTUP)
                return passed
        return False

    async def _watch_readiness(self, started: float) -> None:
        async with aclosing(self._results(Kind.READINESS, started)) as results:
            async for ready in results:
                self._observer.on_ready(ready=ready)

    async def _watch_liveness(self, started: float) -> None:
        async with aclosing(self._results(Kind.LIVENESS, started)) as results:
            async for _ in results:
                await self._restart_unhealthy(Kind.LIVENESS)

    def _results(self, kind: Kind, started: float) -> probes.Results:
        def unhealthy(message: str) -> None:
            if kind is Kind.READINESS or not self._terminating:  # the others don't matter to who is on its way out
                self._observer.record("Warning", "Unhealthy", message)

        return probes.results(kind, self._spec[f"{kind.value.lower()}Probe"], self._target, started, unhealthy)

    async def _restart_unhealthy(self, kind: Kind) -> None:
        if not self._terminating:
            message = f"Container {self._spec['name']} failed {kind.value.lower()} probe, will be restarted"
            self._observer.record("Normal", "Killing", message)
            own = self._spec[f"{kind.value.lower()}Probe"].get("terminationGracePeriodSeconds")
            await self.terminate(own or self._observer.pod["spec"]["terminationGracePeriodSeconds"])

    async def _pre_stop(self, hook: Object) -> None:
        """Run the hook; it is over also when the container is."""
        running = asyncio.create_task(self._hook(hook))
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        except (StartError, ProbeFailed, ProbeErrored):
            self._observer.record("Warning", "FailedPreStopHook", "PreStopHook failed")
        finally:
            running.cancel()
            ended.cancel()
            await asyncio.wait([running, ended])

    async def _hook(self, hook: Object) -> None:
        """Run a lifecycle handler. Raises StartError, ProbeFailed and ProbeErrored."""
        if "exec" in hook:
            code, output = await self._config.execute(hook["exec"]["command"])
            if code:
                raise ProbeFailed(output)
        elif "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "httpGet" in hook:
            await http_get(hook["httpGet"], self._target, None)
