"""The kubelet: it registers the lab's node and runs the pods that are bound to it, each by a worker of its own.

Stands for k8s.io/kubernetes/pkg/kubelet. A container is a process of this machine; see pod_worker.py for a pod's life,
containers.py for a container's, runtime/processes.py for what keeps them from outliving the lab.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from lab.apimachinery.store import Object, Store
from lab.kubelet.container_run import ContainerRun
from lab.kubelet.node import NAME, Node
from lab.kubelet.pod_worker import PodWorker
from lab.network import Network

log = logging.getLogger(__name__)


class Kubelet:
    """The node's agent. `kubeconfig` makes one for the pods of a namespace."""

    def __init__(self, store: Store, state: Path, network: Network, kubeconfig: Callable[[str], Object]) -> None:
        self._node = Node(store, state, network, kubeconfig)
        self._workers: dict[str, PodWorker] = {}

    async def run(self) -> None:
        """Run the node's pods, until cancelled; then nothing of them is left but their objects."""
        self._node.register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._node.renew_lease())
            with self._node.store.watch(["pods"]) as events:
                async for event in events:
                    pod, uid = event.object, event.object["metadata"]["uid"]
                    if pod["spec"].get("nodeName") != NAME:
                        continue
                    if uid not in self._workers:
                        if event.type == "DELETED":
                            continue
                        self._workers[uid] = PodWorker(self._node, pod)
                        group.create_task(self._work(uid))
                    if event.type == "DELETED":
                        self._workers[uid].delete()
                    else:
                        self._workers[uid].update(pod)

    def container(self, pod: Object, name: str) -> ContainerRun | None:
        """The run of a pod's container, where it runs."""
        worker = self._workers.get(pod["metadata"]["uid"])
        return worker.container(name) if worker else None

    async def _work(self, uid: str) -> None:
        try:
            await self._workers[uid].run()
        except Exception:
            log.exception("the pod with uid %s can't be looked after any more; delete it", uid)
        finally:
            del self._workers[uid]
