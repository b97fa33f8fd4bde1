"""A whole lab: its store, its network, and the components that run on them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from lab import (
    apiserver,
    bootstrap,
    coredns,
    deployments,
    endpointslices,
    events,
    garbage_collector,
    jobs,
    kube_proxy,
    kubelet,
    namespaces,
    replicasets,
    scheduler,
)
from lab.kubeconfig import Credentials
from lab.network import Network
from lab.statedir import state_directory
from lab.store import Store


@asynccontextmanager
async def cluster(dns_ttl: int) -> AsyncIterator[Path]:
    """Run a lab for the length of the block; gives the path of its kubeconfig once API and DNS answer.

    `dns_ttl` is in seconds. A component that fails cancels the block and raises its error at its end. Raises
    errors.LabError.
    """
    with closing(Network.take()) as network, state_directory() as state:
        store, credentials, serving = Store(), Credentials(), asyncio.Event()
        bootstrap.furnish(store, network)
        kubeconfig = state / "kubeconfig"
        credentials.write_kubeconfig(kubeconfig, f"https://{network.node}:{apiserver.PORT}")
        components: tuple[Coroutine[Any, Any, None], ...] = (
            apiserver.run(
                store, network, state, tls=credentials.tls(network.node), token=credentials.token, ready=serving
            ),
            bootstrap.run(store, network),
            coredns.run(store, network, dns_ttl),
            namespaces.run(store, credentials.ca),
            garbage_collector.run(store),
            deployments.run(store),
            replicasets.run(store),
            jobs.run(store),
            endpointslices.run(store),
            events.run(store),
            scheduler.run(store),
            kubelet.run(store, state, network, kubeconfig),
            kube_proxy.run(store, state),
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(component) for component in components]
            try:
                await serving.wait()
                await _dns_answers(store)
                yield kubeconfig
            finally:
                for task in tasks:
                    task.cancel()


async def _dns_answers(store: Store) -> None:
    """Wait until the DNS server has said where it answers for the namespace `default`."""
    with store.watch(["namespaces"]) as changes:
        async for change in changes:
            meta = change.object["metadata"]
            if meta["name"] == "default" and coredns.ANNOTATION in meta.get("annotations", {}):
                return
