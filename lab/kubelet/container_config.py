"""What it takes to run one container: its command line, environment, directory and files, adapted to loopback.

Stands for the kubelet's generateContainerConfig, whose ContainerConfig goes to the container runtime.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import kubeconfig
from lab.apimachinery.store import Object
from lab.kubelet import environment
from lab.kubelet.node import Node
from lab.kubelet.volumes import Mounts, own
from lab.loopback import Loopback
from lab.runtime import images
from lab.runtime.processes import Process, host_environment
from lab.runtime.stdio import Stdio


@dataclass(frozen=True)
class PodNetwork:
    """A pod's place in the lab's network."""

    ip: str
    dns: str  # `IP:PORT` of its namespace's DNS server


@dataclass(frozen=True)
class ContainerConfig:
    """A container, ready to be started."""

    argv: list[str]
    env: Mapping[str, str]
    workdir: Path
    loopback: Loopback

    async def start(self, log: Path, stdio: Stdio) -> Process:
        """Start the container's program. Raises processes.StartError."""
        log.parent.mkdir(parents=True, exist_ok=True)
        return await self._start(self.argv, log, stdio)

    async def begin(self, command: list[str], stdio: Stdio | None = None) -> Process:
        """Start a command in the container. Raises processes.StartError."""
        return await self._start(self.loopback.command(command), None, stdio)

    async def _start(self, argv: list[str], log: Path | None, stdio: Stdio | None) -> Process:
        terminal = {"TERM": "xterm"} if stdio and stdio.terminal is not None else {}  # as runc says
        return await Process.start(argv, {**terminal, **self.env}, self.workdir, log, stdio)

    async def execute(self, command: list[str]) -> tuple[int, str]:
        """Run a command in the container; return its exit code and output. Raises processes.StartError."""
        process = await self.begin(command)
        try:
            return await process.wait(), process.output
        finally:
            await process.kill()


def generate(node: Node, pod: Object, container: Object, network: PodNetwork) -> ContainerConfig:
    """Raises images.ImageError, environment.ConfigError and volumes.MountError."""
    image = images.find(container["image"])
    variables = environment.variables(node.store, pod, container)
    mounts = Mounts(pod, container, node.directory(pod))
    loopback = Loopback(network.ip, network.dns, mounts.paths)
    mounts.write(node.store, pod, loopback.file)

    words = image.command_line(container.get("command", []), container.get("args", []))
    argv = image.resolve([loopback.word(environment.expand(word, variables)) for word in words])
    if image.runs_envoy(argv):
        argv = loopback.envoy(argv)

    directory = own(node.directory(pod), container)
    home, temporary = directory / "home", mounts.paths.get("/tmp", directory / "tmp")  # noqa: S108 (not the machine's)
    for made in (home, temporary):
        made.mkdir(parents=True, exist_ok=True)
    env = {**host_environment(), **image.env}
    env |= {
        "HOSTNAME": pod["metadata"]["name"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "GRPC_NODE_USE_ALTERNATIVE_RESOLVER": "true",  # or grpc-js does not ask the DNS server that a target names
    }
    env |= _kubeconfig(node, pod, directory)
    env |= {name: loopback.word(value) for name, value in variables.items()}
    return ContainerConfig(argv, env, _workdir(container, loopback, image), loopback)


def _workdir(container: Object, loopback: Loopback, image: images.Image) -> Path:
    """`workingDir`: in one of its volumes, or a directory of this machine as of an image, or else the image's own."""
    wanted = loopback.word(container.get("workingDir", ""))
    return Path(wanted) if wanted and Path(wanted).is_dir() else image.workdir


def _kubeconfig(node: Node, pod: Object, directory: Path) -> dict[str, str]:
    """How the pod finds the API, in the place of a service account's files: a kubeconfig with its own namespace."""
    meta, spec = pod["metadata"], pod["spec"]
    account = node.store.find("serviceaccounts", meta["namespace"], spec.get("serviceAccountName", "default")) or {}
    if not spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
        return {}
    path = directory / "kubeconfig"
    kubeconfig.write(path, node.kubeconfig(meta["namespace"]))
    return {"KUBECONFIG": str(path)}
