"""The kubelet: it registers the lab's node and runs the pods that are bound to it, each by a worker of its own.

Stands for k8s.io/kubernetes/pkg/kubelet. A container is a process of this machine; see pod_worker.py for a pod's life,
containers.py for a container's, runtime/processes.py for what keeps them from outliving the lab.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from lab.apimachinery.store import Object, Store
from lab.kubelet.node import NAME, Node
from lab.kubelet.pod_worker import PodWorker
from lab.network import Network

log = logging.getLogger(__name__)


async def run(store: Store, state: Path, network: Network, kubeconfig: Callable[[str], Object]) -> None:
    """Run the node's pods, until cancelled; then nothing of them is left but their objects.

    `kubeconfig` makes one for the pods of a namespace.
    """
    node = Node(store, state, network, kubeconfig)
    node.register()
    workers: dict[str, PodWorker] = {}

    async def work(uid: str) -> None:
        try:
            await workers[uid].run()
        except Exception:
            log.exception("the pod with uid %s can't be looked after any more; delete it", uid)
        finally:
            del workers[uid]

    async with asyncio.TaskGroup() as group:
        group.create_task(node.renew_lease())
        with store.watch(["pods"]) as events:
            async for event in events:
                pod, uid = event.object, event.object["metadata"]["uid"]
                if pod["spec"].get("nodeName") != NAME:
                    continue
                if uid not in workers:
                    if event.type == "DELETED":
                        continue
                    workers[uid] = PodWorker(node, pod)
                    group.create_task(work(uid))
                if event.type == "DELETED":
                    workers[uid].delete()
                else:
                    workers[uid].update(pod)
