"""kube-proxy: connections to a Service's address go to one of its endpoints, chosen anew for each connection.

Instead of rules in the kernel, a real Envoy with a `tcp_proxy` for each Service port: like kube-proxy it picks per
connection and knows nothing of the calls on it. It starts with the first Service that has endpoints, and is told of
changes through files (Envoy's filesystem xDS), without a restart; established connections stay where they are, also
when their endpoint has left. NodePort and LoadBalancer Services have their cluster address only; sessionAffinity and
protocols other than TCP are not acted upon.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from pathlib import Path

from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.kube_proxy import proxy_config
from lab.runtime import images
from lab.runtime.processes import Process

ENVOY_IMAGE = "envoyproxy/envoy"
EVERYTHING: Key = ("services",)
# What Envoy watches, in the order in which a new Service must appear to it.
ENDPOINTS, CLUSTERS, LISTENERS = "eds-{}.json", "cds.json", "lds.json"  # Envoy takes one cluster's endpoints a file
DRAIN_SECONDS = 10**6  # how long connections of a listener that has gone may go on: as long as the lab


async def run(store: Store, state: Path) -> None:
    """Proxy until cancelled. `state` is the lab's directory. Raises RuntimeError when Envoy ends by itself."""
    directory = state / "kube-proxy"
    directory.mkdir()
    proxy = Proxy(store, directory)

    def keys(_: Event) -> list[Key]:
        return [EVERYTHING]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(control(store, ["services", "endpointslices"], keys, lambda _: proxy.configure()))
        tasks.create_task(proxy.serve())


class Proxy:
    """One Envoy and its configuration."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory
        self._versions: dict[str, int] = {}
        self._written: dict[str, list[Object]] = {}
        self._needed = asyncio.Event()

    def configure(self) -> None:
        """Write down what is to be proxied now."""
        routes = list(proxy_config.routes(self._store))
        files = {route.name: ENDPOINTS.format(re.sub(r"[/:]", "_", route.name)) for route in routes}
        for route in routes:
            self._write(files[route.name], [proxy_config.load_assignment(route)])
        clusters = (proxy_config.cluster(route, str(self._directory / files[route.name])) for route in routes)
        self._write(CLUSTERS, clusters)
        self._write(LISTENERS, map(proxy_config.listener, routes))
        if routes:
            self._needed.set()

    def _write(self, name: str, resources: Iterable[Object]) -> None:
        """Move a new version of a file into its place, if it says anything new."""
        resources = list(resources)
        if self._written.get(name) == resources:
            return
        version = self._versions[name] = self._versions.get(name, 0) + 1
        path = self._directory / name
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"version_info": str(version), "resources": resources}))
        new.rename(path)
        self._written[name] = resources

    async def serve(self) -> None:
        """Run Envoy as soon as there is something to proxy. Raises RuntimeError when it ends."""
        await self._needed.wait()
        log = self._directory / "envoy.log"
        process = await Process.start(self._command_line(), {}, self._directory, log)
        try:
            code = await process.wait()
        finally:
            await process.kill()
        raise RuntimeError(f"kube-proxy's Envoy ended with exit code {code}: {log.read_text()[-1000:]}")

    def _command_line(self) -> list[str]:
        bootstrap = {
            "node": {"id": "kube-proxy", "cluster": "lab"},
            "dynamic_resources": {
                "cds_config": proxy_config.source(str(self._directory / CLUSTERS)),
                "lds_config": proxy_config.source(str(self._directory / LISTENERS)),
            },
        }
        program = images.find(ENVOY_IMAGE).programs["envoy"]
        # One thread serves a laptop's pods. Without hot restart, Envoys on one machine don't meet.
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        return [program, *options, "--drain-time-s", str(DRAIN_SECONDS), "--config-yaml", json.dumps(bootstrap)]
