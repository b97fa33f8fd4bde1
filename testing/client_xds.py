"""A control plane that a test tells what the Kubernetes API would; all else of it is what runs in the cluster."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import yaml
from grpc_health.v1 import health

from catalogue import ROOT
from client_xds import config
from client_xds.ads_servicer import AdsServicer
from client_xds.control_plane import build
from client_xds.store import ResourceStore
from endpoint_watch import Endpoint, Snapshot
from testing import envoy
from testing.dns import dns
from testing.envoy import Envoy
from testing.threads import InThread

SERVICE, NAMESPACE = "greeter-server", "shop"
ROUTES = f"""
"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
name: {SERVICE}
virtual_hosts:
- name: {SERVICE}
  domains: ["*"]
  routes:
  - match: {{prefix: ""}}
    route: {{cluster: CLUSTER}}
"""
CLUSTER = """
"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: CLUSTER
type: EDS
eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}
"""


def leading_to(cluster: str) -> tuple[str, str]:
    """The values of a ConfigMap whose routes lead to this cluster, of the endpoints of this name, and that has it."""
    return ROUTES.replace("CLUSTER", cluster), CLUSTER.replace("CLUSTER", cluster)


class ControlPlane(InThread):
    """Serves on a loopback address, in a thread of its own. Nothing is known at first."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._run(self._start(address))

    async def _start(self, address: str) -> None:
        self.store = ResourceStore(NAMESPACE)
        self.servicer = AdsServicer(self.store)
        self._server, port = build(address, self.servicer, health.aio.HealthServicer())
        self.address = f"{address.rpartition(':')[0]}:{port}"
        await self._server.start()

    def publish(
        self, *addresses: str, service: str = SERVICE, zones: Mapping[str, str] | None = None, there: bool = True
    ) -> None:
        """Say that these are the servers now (HOST:PORT), as EndpointSlices would; `zones` are by address."""
        endpoints = tuple(
            Endpoint(host, int(port), (zones or {}).get(f"{host}:{port}", ""))
            for host, _, port in (address.rpartition(":") for address in addresses)
        )
        snapshot = Snapshot(service, endpoints, time.monotonic(), there=there)
        self._call(lambda: self.store.publish(snapshot))

    def configure(self, *texts: str) -> None:
        """Say that these are the values of the ConfigMap now."""
        resources = config.parsed({str(number): text for number, text in enumerate(texts)})
        self._call(lambda: self.store.configure(resources))

    def apply(self, policy: str) -> None:
        """Say what `kubectl apply -f client_xds/policies/POLICY.yaml` would."""
        [config_map] = yaml.safe_load_all((ROOT / "client_xds" / "policies" / f"{policy}.yaml").read_text())
        self.configure(*config_map["data"].values())

    def start(self) -> None:
        """Say that all is known."""
        self._call(self.store.start)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It does nothing for the length of the block; its connections stay."""
        over = threading.Event()
        self._loop.call_soon_threadsafe(over.wait)
        try:
            yield
        finally:
            over.set()

    @property
    def streams(self) -> int:
        return self.servicer.streams

    def watched(self) -> set[str]:
        """The names of the resources that clients have asked for now."""
        names: set[str] = self._call(lambda: {key.name for key in self.store._watched})
        return names

    def end(self, grace: float = 5) -> None:
        """As at SIGTERM."""
        self._end(self.servicer.stop, grace)


@contextmanager
def control_plane(*addresses: str, address: str = "127.0.0.1:0") -> Iterator[ControlPlane]:
    """One that knows these servers of one Service, and that there is nothing else; nothing yet without any."""
    running = ControlPlane(address)
    try:
        if addresses:
            running.publish(*addresses)
            running.start()
        yield running
    finally:
        running.end(0)


def bootstrap(address: str, zone: str = "", **more: object) -> str:
    """What a proxyless client is given as GRPC_XDS_BOOTSTRAP_CONFIG, to ask at this address (gRFC A27)."""
    server = {"server_uri": address, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    node: dict[str, object] = {"id": "a-test"} | ({"locality": {"zone": zone}} if zone else {})
    return json.dumps({"xds_servers": [server], "node": node} | more)


@contextmanager
def sidecar(address: str, zone: str = "") -> Iterator[Envoy]:
    """The Envoy of the manifest, in this zone, which asks the control plane at this address."""
    host, _, port = address.rpartition(":")
    config = envoy.config(ROOT / "client_xds" / "manifests" / "envoy" / "client.yaml")
    config["node"] |= {"locality": {"zone": zone}}
    [cluster] = config["static_resources"]["clusters"]
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = int(port)
    with dns([host]) as names, envoy.envoy(config, names.server, "--concurrency", "1") as running:
        yield running
