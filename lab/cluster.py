"""A whole lab: its store, its network, its directory, and the components that run on them."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lab import addons, bootstrap, kubeconfig
from lab.apimachinery import events
from lab.apimachinery.namespaces import dns_address
from lab.apimachinery.store import Store
from lab.apiserver import apiserver
from lab.controllers import (
    deployments,
    disruption,
    endpointslices,
    garbage_collector,
    jobs,
    namespaces,
    replicasets,
    scheduler,
)
from lab.coredns import coredns
from lab.kube_proxy import kube_proxy
from lab.kubeconfig import Credentials
from lab.kubelet.kubelet import Kubelet
from lab.network import Network

# Whatever has this lock file in it, and no holder, is removed: nobody else may call theirs so.
PREFIX, LOCK = "lab-", "lab.grpc-kubernetes-load-balancing.lock"


@asynccontextmanager
async def cluster(dns_ttl: int) -> AsyncIterator[Path]:
    """Run a lab for the length of the block; gives the path of its kubeconfig once API and DNS answer.

    `dns_ttl` is in seconds. A component that fails cancels the block and raises its error at its end. Raises
    errors.LabError.
    """
    with closing(Network.take()) as network, _state_directory() as state:
        store, credentials, serving = Store(), Credentials(), asyncio.Event()
        bootstrap.furnish(store, network)
        of_namespace = partial(credentials.kubeconfig, f"https://{network.node}:{apiserver.PORT}")
        kubeconfig.write(path := state / "kubeconfig", of_namespace("default"))
        kubelet = Kubelet(store, state, network, of_namespace)
        components: tuple[Coroutine[Any, Any, None], ...] = (
            apiserver.run(
                store,
                network,
                state,
                kubelet,
                tls=credentials.tls(network.node),
                token=credentials.token,
                ready=serving,
            ),
            bootstrap.run(store, network),
            addons.run(store, network),
            coredns.run(store, network, dns_ttl),
            namespaces.run(store, credentials.ca),
            garbage_collector.run(store),
            deployments.run(store),
            replicasets.run(store),
            jobs.run(store),
            disruption.run(store),
            endpointslices.run(store),
            events.run(store),
            scheduler.run(store),
            kubelet.run(),
            kube_proxy.run(store, state),
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(component) for component in components]
            try:
                await serving.wait()
                await dns_address(store, "default")
                yield path
            finally:
                for task in tasks:
                    task.cancel()


@contextmanager
def _state_directory() -> Iterator[Path]:
    """A new directory for the kubeconfig and the pods' files, which only this user can enter; removed in the end."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    parent = runtime if runtime.is_absolute() and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    _remove_dead(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    unlocked = path / f"{LOCK}.new"
    with unlocked.open("w") as lock:
        # Held as long as this process lives, however it ends; and before another lab sees it, which would remove it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(path / LOCK)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _remove_dead(parent: Path) -> None:
    """Remove what labs that were killed left behind: those whose lock nobody holds."""
    for lock_file in parent.glob(f"{PREFIX}*/{LOCK}"):
        if lock_file.stat().st_uid != os.getuid():
            continue
        with lock_file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(lock_file.parent, ignore_errors=True)
