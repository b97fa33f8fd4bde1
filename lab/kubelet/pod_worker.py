"""The life of one pod: its init containers in order, its containers, and its end.

Stands for the kubelet's pod workers (k8s.io/kubernetes/pkg/kubelet/pod_workers.go) and SyncPod. Native sidecars, which
are init containers with `restartPolicy: Always`, start in order among the init containers, run beside the containers,
and end after them in reverse order (KEP-753).
"""

import asyncio
import shutil
from contextlib import suppress

from lab.apimachinery.errors import Conflict, LabError, NotFound
from lab.apimachinery.namespaces import dns_address
from lab.apimachinery.store import Object, now
from lab.kubelet import pod_status
from lab.kubelet.container_config import PodNetwork
from lab.kubelet.container_run import ContainerRun
from lab.kubelet.containers import Container
from lab.kubelet.node import Node
from lab.kubelet.pod_status import Observed, is_sidecar


class PodWorker:
    """One pod, from when it is seen until it is gone."""

    def __init__(self, node: Node, pod: Object) -> None:
        self._node, self._pod = node, pod
        spec = pod["spec"]
        once = "Never" if spec["restartPolicy"] == "Never" else "OnFailure"
        self._init = [
            Container(node, pod, container, "Always" if is_sidecar(container) else once, self._changed)
            for container in spec.get("initContainers", [])
        ]
        self._containers = [
            Container(node, pod, container, spec["restartPolicy"], self._changed) for container in spec["containers"]
        ]
        self._sidecars = [container for container in self._init if is_sidecar(container.spec)]
        self._network: PodNetwork | None = None
        self._ip = ""
        self._start_time = now()
        self._deletion = asyncio.Event()
        self._grace: float = spec["terminationGracePeriodSeconds"]

    def update(self, pod: Object) -> None:
        """The pod has changed, or is being deleted."""
        self._hold(pod)
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            self.delete(meta["deletionGracePeriodSeconds"])

    def delete(self, grace: float | None = None) -> None:
        """End it, within this many seconds or its own terminationGracePeriodSeconds."""
        if grace is not None and grace < self._grace:
            self._grace = grace
            if self._deletion.is_set():  # somebody is in more of a hurry now
                asyncio.get_running_loop().call_later(grace, self._kill)
        self._deletion.set()

    def container(self, name: str) -> ContainerRun | None:
        """The run of a container, where it runs."""
        return next((container.current for container in self._all() if container.spec["name"] == name), None)

    async def run(self) -> None:
        """Live the pod's life; when cancelled, end it at once and leave it in the store."""
        deletion = asyncio.create_task(self._deletion.wait())
        life = asyncio.create_task(self._live())
        try:
            await asyncio.wait([deletion, life], return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
                await deletion
            life.cancel()
            await asyncio.wait([life])
            await self._stop(self._all())
            self._finish()
            self._remove()
            await self._gone()
        finally:
            for task in (deletion, life):
                task.cancel()
            await asyncio.gather(*(container.close() for container in self._all()))
            self._release()
            shutil.rmtree(self._node.directory(self._pod), ignore_errors=True)

    async def _live(self) -> None:
        """Run its containers, until they have ended for good."""
        self._node.directory(self._pod).mkdir(parents=True, mode=0o700)
        self._changed()
        dns = await dns_address(self._node.store, self._pod["metadata"]["namespace"])
        self._network = PodNetwork(await self._address(), dns)
        self._ip = self._network.ip
        self._changed()
        if await self._initialize(self._network):
            for container in self._containers:
                container.begin(self._network)
            for container in self._containers:
                await container.ended()
        await self._stop(self._sidecars)
        self._finish()

    async def _initialize(self, network: PodNetwork) -> bool:
        """Run its init containers and start its sidecars; False where one has failed for good."""
        for container in self._init:
            container.begin(network)
            if container in self._sidecars:
                await container.started.wait()
            elif await container.ended() != 0:
                return False
        return True

    async def _address(self) -> str:
        """An address of its own, once there is one."""
        while True:
            try:
                return self._node.network.allocate()
            except LabError as error:
                self._node.record(self._pod, "Warning", "FailedCreatePodSandBox", str(error))
            await self._node.change("pods", "services")

    async def _stop(self, containers: list[Container]) -> None:
        """Stop these containers within the grace period, each sidecar after those that come after it."""
        stopping = [
            asyncio.create_task(container.stop(self._grace))
            for container in containers
            if container not in self._sidecars
        ]
        for sidecar in reversed(self._sidecars):
            stopping.append(asyncio.create_task(sidecar.stop(self._grace, list(stopping))))
        for task in stopping:
            await task

    def _kill(self) -> None:
        for container in self._all():
            container.kill()

    def _all(self) -> list[Container]:
        return self._init + self._containers

    def _hold(self, pod: Object) -> None:
        self._pod = pod
        for container in self._all():
            container.pod = pod

    def _finish(self) -> None:
        """All its containers have ended for good."""
        self._release()
        self._changed()

    def _release(self) -> None:
        """Give its address back; its status keeps it."""
        if self._network:
            self._node.network.release(self._network.ip)
        self._network = None

    def _changed(self) -> None:
        """Write its status."""
        seen = Observed(
            init=[container.status() for container in self._init],
            containers=[container.status() for container in self._containers],
            running=self._network is not None,
            ip=self._ip,
            host_ip=self._node.network.node,
            start_time=self._start_time,
        )
        if pod := self._node.store.again("pods", self._pod):  # or else somebody has deleted it by force
            pod["status"] = pod_status.status(pod, seen)
            self._hold(self._node.store.update("pods", pod, subresource="status"))

    def _remove(self) -> None:
        """Take it out of the store; somebody may have done so by force."""
        meta = self._pod["metadata"]
        with suppress(NotFound, Conflict):
            self._node.store.delete("pods", meta["namespace"], meta["name"], grace=0, uid=meta["uid"])

    async def _gone(self) -> None:
        """Wait until no finalizer holds it in the store any more: until then its logs can be read."""
        while self._node.store.again("pods", self._pod):
            await self._node.change("pods")
