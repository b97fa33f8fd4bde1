"""What the kubelet's tests share: a node of a lab, pods on it, and a look at what they did.

There is no API server and no scheduler: pods are written to the store as those would have done it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.apimachinery.store import Object, Store
from lab.coredns import coredns
from lab.kubeconfig import Credentials
from lab.kubelet.kubelet import Kubelet
from lab.kubelet.node import NAME
from lab.kubelet.podlogs import log_path
from lab.network import Network
from lab.objects.defaults import set_defaults
from lab.testing import namespace, running, until

NAMESPACE = "shop"
GREETER, ENVOY = "greeter:dev", "envoyproxy/envoy:v1.40.0"
IDLE = ["sh", "-c", "trap 'exit 0' TERM; echo idle; while :; do sleep .05; done"]  # until SIGTERM, which it heeds


@dataclass
class PodLab:
    """A node that runs what is in its store."""

    store: Store
    state: Path
    network: Network

    def create(self, name: str = "p", command: list[str] = IDLE, **spec: Any) -> Object:
        """Create a pod of one container `app` that runs the command; or say `containers`, and what else it has."""
        spec.setdefault("containers", [container("app", command)])
        meta = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
        pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec | {"nodeName": NAME}}
        set_defaults("pods", pod)
        return self.store.create("pods", pod)

    def status(self, name: str = "p") -> Object:
        found: Object = self.store.get("pods", NAMESPACE, name).get("status", {})
        return found

    def container(self, name: str = "app", pod: str = "p") -> Object:
        """A container's status, also of an init container; {} before it has one."""
        status = self.status(pod)
        statuses = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        return next((c for c in statuses if c["name"] == name), {})

    def condition(self, kind: str, pod: str = "p") -> Object:
        conditions = self.status(pod).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {"status": "Unknown"})

    def log(self, container: str = "app", restart: int = 0, pod: str = "p") -> str:
        """What a container has written, without the times."""
        path = log_path(self.state, self.store.get("pods", NAMESPACE, pod), container, restart)
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return "".join(line.split(" ", 1)[1] for line in lines)

    async def logged(self, text: str, container: str = "app", pod: str = "p", within: float = 20) -> None:
        await until(lambda: text in self.log(container, pod=pod), f"{text!r} in the log of {container}", within)

    async def phase(self, phase: str, pod: str = "p", within: float = 20) -> None:
        await until(lambda: self.status(pod).get("phase") == phase, f"{pod} is {phase}", within)

    async def ready(self, pod: str = "p", *, ready: bool = True, within: float = 20) -> None:
        await until(lambda: self.condition("Ready", pod)["status"] == str(ready), f"{pod} is ready: {ready}", within)

    async def waiting(self, reason: str, container: str = "app", within: float = 20) -> Object:
        """Wait until a container waits for this reason; return what its state says."""

        def state() -> Object:
            found: Object = self.container(container).get("state", {}).get("waiting", {})
            return found if found.get("reason") == reason else {}

        return await until(state, f"{container} waits: {reason}", within)

    async def gone(self, pod: str = "p", within: float = 20) -> None:
        await until(lambda: self.store.find("pods", NAMESPACE, pod) is None, f"{pod} is gone", within)

    def delete(self, pod: str = "p", grace: int | None = None) -> None:
        self.store.delete("pods", NAMESPACE, pod, grace=grace)

    def config_map(self, name: str, **data: str) -> None:
        meta = {"namespace": NAMESPACE, "name": name}
        self.store.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    def processes(self) -> list[int]:
        """The pids of all processes of its containers."""
        return processes(self.state)


def container(name: str, command: list[str] = IDLE, image: str = GREETER, **spec: Any) -> Object:
    return {"name": name, "image": image, "command": command} | spec


def processes(state: Path) -> list[int]:
    """The pids of all processes whose environment names this directory."""

    def ours(pid: str) -> bool:
        try:
            return str(state).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False  # it has just ended, or isn't this user's

    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and ours(pid)]


def listening(network: str) -> list[str]:
    """The addresses (`127.64.3.5:8000`) of a /24, named by any address in it, on which somebody listens."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, port = local.split(":")
        dotted = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
        if state == "0A" and dotted.rpartition(".")[0] == network.rpartition(".")[0]:
            found.append(f"{dotted}:{int(port, 16)}")
    return found


@asynccontextmanager
async def pod_lab(state: Path) -> AsyncIterator[PodLab]:
    """Run a node for the length of the block, with a namespace and its DNS."""
    store = Store()
    with closing(Network.take()) as network:
        kubeconfig = partial(Credentials().kubeconfig, "https://127.0.0.1:1")  # where nobody listens
        async with running(coredns.run(store, network, ttl=1), Kubelet(store, state, network, kubeconfig).run()):
            namespace(store, NAMESPACE)
            await until(lambda: store.find("nodes", "", NAME), "the node is there")
            yield PodLab(store, state, network)
        assert processes(state) == []
