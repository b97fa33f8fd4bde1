"""What kube-proxy's Envoy is told: a listener for each port of a Service's address, and the endpoints behind it.

Source: KEP-1669: ready endpoints; where there is none, those that terminate and still serve. A port without endpoints
has no listener: a connection to it is refused, as kube-proxy's REJECT rule does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.apimachinery.endpointslices import slices_of
from lab.apimachinery.store import Object, Store
from lab.loopback import moved

TYPES = "type.googleapis.com/envoy"
PLENTY = 1_000_000  # more connections than there will be: kube-proxy has no limit
CONNECT_TIMEOUT = "10s"  # a pod on loopback answers or refuses at once


@dataclass(frozen=True)
class Route:
    """One port of a Service and where its connections go."""

    name: str
    address: tuple[str, int]
    endpoints: tuple[tuple[str, int], ...]


def routes(store: Store) -> Iterator[Route]:
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


def listener(route: Route) -> Object:
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


def cluster(route: Route, endpoints_file: str) -> Object:
    """Picks an endpoint at random for each connection, as kube-proxy's rules do."""
    limits = dict.fromkeys(("max_connections", "max_pending_requests"), PLENTY)
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": route.name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": source(endpoints_file)},
        "lb_policy": "RANDOM",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": {"thresholds": [limits]},
    }


def load_assignment(route: Route) -> Object:
    """The endpoints of a cluster."""
    endpoints = [{"endpoint": {"address": _address(place)}} for place in route.endpoints]
    return {
        "@type": f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": route.name,
        "endpoints": [{"lb_endpoints": endpoints}],
    }


def source(path: str) -> Object:
    """Configuration that is read from a file, and again whenever another is moved into its place."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}
