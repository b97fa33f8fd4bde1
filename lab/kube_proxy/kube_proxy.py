"""kube-proxy: connections to a Service's address go to one of its endpoints, chosen anew for each connection.

Instead of rules in the kernel, a real Envoy with a `tcp_proxy` for each Service port: like kube-proxy it picks per
connection and knows nothing of the calls on it. It starts with the first Service that has endpoints, and is told of
changes through files (Envoy's filesystem xDS), without a restart; established connections stay where they are, also
when their endpoint has left. Endpoints are chosen as KEP-1669 says: ready ones; where there is none, those that
terminate and still serve. A port without endpoints has no listener: a connection to it is refused, as kube-proxy's
REJECT rule does. NodePort and LoadBalancer Services have their cluster address only; sessionAffinity and
protocols other than TCP are not acted upon.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.apimachinery.endpointslices import slices_of
from lab.apimachinery.store import Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.loopback import moved
from lab.runtime import images
from lab.runtime.processes import Process

ENVOY_IMAGE = "envoyproxy/envoy"
EVERYTHING: Key = ("services",)
# What Envoy watches, in the order in which a new Service must appear to it. There is no file of endpoints, for it would
# be one a Service, each watched by an inotify instance of its own: Linux lets a user have 128 (max_user_instances).
CLUSTERS, LISTENERS = "cds.json", "lds.json"
TYPES = "type.googleapis.com/envoy"
PLENTY = 1_000_000  # more connections than there will be: kube-proxy has no limit
CONNECT_TIMEOUT = "10s"  # a pod on loopback answers or refuses at once
DRAIN_SECONDS = 10**6  # how long connections of a listener that has gone may go on: as long as the lab


async def run(store: Store, state: Path) -> None:
    """Proxy until cancelled. `state` is the lab's directory. Raises RuntimeError when Envoy ends by itself."""
    directory = state / "kube-proxy"
    directory.mkdir()
    proxy = Proxy(store, directory)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            control(store, ["services", "endpointslices"], lambda _: [EVERYTHING], lambda _: proxy.configure())
        )
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
        routes = list(routes_of(self._store))
        self._write(CLUSTERS, map(cluster_of, routes))
        self._write(LISTENERS, map(listener_of, routes))
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
                "cds_config": source(str(self._directory / CLUSTERS)),
                "lds_config": source(str(self._directory / LISTENERS)),
            },
        }
        program = images.find(ENVOY_IMAGE).programs["envoy"]
        # One thread serves a laptop's pods. Without hot restart, Envoys on one machine don't meet.
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        return [program, *options, "--drain-time-s", str(DRAIN_SECONDS), "--config-yaml", json.dumps(bootstrap)]


@dataclass(frozen=True)
class Route:
    """One port of a Service and where its connections go."""

    name: str
    address: tuple[str, int]
    endpoints: tuple[tuple[str, int], ...]


def routes_of(store: Store) -> Iterator[Route]:
    """What there is to be proxied now."""
    for service in store.list("services"):
        meta, spec = service["metadata"], service["spec"]
        if spec.get("clusterIP", "None") in ("None", "") or spec.get("type") == "ExternalName":
            continue
        slices = slices_of(store, meta["namespace"], meta["name"])
        for port in spec.get("ports", []):
            address = (spec["clusterIP"], moved(port["port"]))
            endpoints = tuple(_endpoints(slices, port.get("name", "")))
            # The Service `kubernetes` has the API server's own address: what comes there needs no proxy.
            if port["protocol"] == "TCP" and endpoints and address not in endpoints:
                yield Route(f"{meta['namespace']}/{meta['name']}:{port['port']}", address, endpoints)


def _endpoints(slices: list[Object], port_name: str) -> list[tuple[str, int]]:
    ready, fallback = {}, {}
    for slice_ in slices:
        for port in slice_["ports"] or []:
            if (port.get("name") or "") != port_name:
                continue
            for endpoint in slice_["endpoints"] or []:
                place = (endpoint["addresses"][0], moved(port["port"]))
                conditions = endpoint.get("conditions", {})
                if conditions.get("ready") is not False:
                    ready[place] = True
                elif conditions.get("serving") and conditions.get("terminating"):
                    fallback[place] = True
    return list(ready or fallback)


def _address(place: tuple[str, int]) -> Object:
    return {"socket_address": {"address": place[0], "port_value": place[1]}}


def listener_of(route: Route) -> Object:
    """Passes each connection on to an endpoint, for as long as the two sides want it."""
    proxy = {
        "@type": f"{TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "service",
        "cluster": route.name,
        "idle_timeout": "0s",
    }
    return {
        "@type": f"{TYPES}.config.listener.v3.Listener",
        "name": route.name,
        "address": _address(route.address),
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
    }


def cluster_of(route: Route) -> Object:
    """Picks an endpoint at random for each connection, as kube-proxy's rules do."""
    endpoints = [{"endpoint": {"address": _address(place)}} for place in route.endpoints]
    limits = dict.fromkeys(("max_connections", "max_pending_requests"), PLENTY)
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": route.name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": route.name, "endpoints": [{"lb_endpoints": endpoints}]},
        "lb_policy": "RANDOM",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": {"thresholds": [limits]},
    }


def source(path: str) -> Object:
    """Configuration that is read from a file, and again whenever another is moved into its place."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}
