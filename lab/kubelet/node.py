"""The lab's one node: its object, and what everything that runs on it has at hand.

Stands for the kubelet's node status (k8s.io/kubernetes/pkg/kubelet/nodestatus).
"""

import asyncio
import os
import platform
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.apimachinery import events
from lab.apimachinery.resources import COORDINATION
from lab.apimachinery.schemas import GIT_VERSION
from lab.apimachinery.store import Object, Store, now
from lab.network import Network

NAME = "lab"
COMPONENT = "kubelet"
RENEWAL = 10  # seconds
MAX_PODS = 250  # one address each, and some for Services
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Node:
    """Where pods run."""

    store: Store
    state: Path  # the lab's run directory
    network: Network
    kubeconfig: Callable[[str], Object]  # for the pods of a namespace

    def register(self) -> None:
        """Create the Node object, ready for pods."""
        labels = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": _architecture()}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NAME, "labels": labels},
            "spec": {},
            "status": self._status(),
        }
        node = self.store.create("nodes", node)
        events.record(self.store, node, "Normal", "NodeReady", f"Node {NAME} status is now: NodeReady", COMPONENT)

    async def renew_lease(self) -> None:
        """Say every 10 s that it is there, as a kubelet does and `kubectl describe node` shows."""
        meta = {"name": NAME, "namespace": "kube-node-lease"}
        spec: Object = {"holderIdentity": NAME, "leaseDurationSeconds": 4 * RENEWAL}
        while True:
            spec["renewTime"] = f"{now().removesuffix('Z')}.000000Z"
            if self.store.find("leases", meta["namespace"], NAME):
                self.store.mutate("leases", meta["namespace"], NAME, lambda lease: lease.update(spec=spec))
            else:
                self.store.create(
                    "leases", {"apiVersion": COORDINATION, "kind": "Lease", "metadata": meta, "spec": spec}
                )
            await asyncio.sleep(RENEWAL)

    def directory(self, pod: Object) -> Path:
        """Where the pod's files are."""
        meta = pod["metadata"]
        return self.state / "pods" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"

    def record(
        self,
        pod: Object,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        container: Object | None = None,
    ) -> None:
        """Record an event about the pod or, where given, one of its containers."""
        path = ""
        if container:
            init = container in pod["spec"].get("initContainers", [])
            path = f"spec.{'initContainers' if init else 'containers'}{{{container['name']}}}"
        events.record(self.store, pod, kind, reason, message, COMPONENT, field_path=path)

    async def change(self, *resources: str) -> None:
        """Wait for the next change of any object of these resources."""
        with self.store.watch(resources, self.store.version) as changes:
            await anext(changes)

    def _status(self) -> Object:
        addresses = [{"type": "InternalIP", "address": self.network.node}, {"type": "Hostname", "address": NAME}]
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        info = {
            "architecture": _architecture(),
            "operatingSystem": "linux",
            "osImage": platform.platform(),
            "kernelVersion": platform.release(),
            "kubeletVersion": GIT_VERSION,
            "kubeProxyVersion": GIT_VERSION,
            "containerRuntimeVersion": f"lab://{GIT_VERSION}",
            "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "machineID": uuid.uuid4().hex,
            "systemUUID": str(uuid.uuid4()),
        }
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
        capacity = {"cpu": str(os.cpu_count()), "memory": f"{memory}Ki", "pods": str(MAX_PODS)}
        resources = {"capacity": capacity, "allocatable": capacity}
        return resources | {"addresses": addresses, "conditions": [ready], "nodeInfo": info}


def _architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())
