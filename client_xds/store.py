"""The resources that clients have asked for: each made and encoded once, however many watch it.

A resource's version is a hash of what it says. So two control planes give the same version to the same resource, and
what is made anew without a difference is no change.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.message import Message

from client_xds import metrics, resources
from client_xds.node import Node
from client_xds.shown import shown
from client_xds.types import Type
from endpoint_watch import Snapshot

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds until a change is logged though some client has not acknowledged it: it doesn't read
SERVICE = re.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?")  # a Service's name (RFC 1035)
OWN_ZONE_FIRST = "own-zone-first"
# What servers ask for (gRFC A36), by the template in their bootstrap; and the Listener in the ConfigMap that they get.
SERVER_LISTENER, SERVER_TEMPLATE = "grpc/server?xds.resource.listening_address=", "grpc/server"


class Key(NamedTuple):
    """A resource that a client may ask for. `variant` is what of its node it depends on: a zone, an IP:PORT."""

    type: Type
    name: str
    variant: str = ""


class Resource:
    """One, as it is on the wire."""

    def __init__(self, message: Message) -> None:
        self.encoded: bytes = DiscoveryResponse(resources=[resources.packed(message)]).SerializeToString()
        self.version = short_hash(self.encoded)
        metrics.ENCODINGS.inc()
        # Of a Cluster, the ClusterLoadAssignment that it can't be used without.
        self.needs = ""
        if isinstance(message, Cluster) and message.type == Cluster.EDS:
            self.needs = message.eds_cluster_config.service_name or message.name


class Stream(Protocol):
    """A client that watches resources."""

    def changed(self, key: Key) -> None:
        """The resource of this key is another, or there is none any more."""

    def names_changed(self) -> None:
        """What an Envoy should have (`names`) may be something else."""


class Watched:
    """A resource that somebody watches."""

    def __init__(self, resource: Resource | None) -> None:
        self.resource = resource
        self.streams: set[Stream] = set()
        self.change: Change | None = None  # the last one


class ResourceStore:
    """Of one namespace. Nothing is told before `synced`: what isn't known yet would look as if it didn't exist."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._services: dict[str, Snapshot] = {}
        self._configured: Mapping[tuple[Type, str], Message] = {}
        self._watched: dict[Key, Watched] = {}
        self._streams: set[Stream] = set()
        self._clusters: dict[str, set[str]] = {}  # that the routes of a name lead to; of the names that were asked for
        self._logging: set[asyncio.Task[None]] = set()
        self.synced = False

    # What clients ask.

    def join(self, stream: Stream) -> None:
        self._streams.add(stream)

    def leave(self, stream: Stream) -> None:
        self._streams.discard(stream)

    def key(self, type_: Type, name: str, node: Node) -> Key:
        """The one of this name that is for this node."""
        if type_ is Type.ENDPOINTS and name.endswith("/" + OWN_ZONE_FIRST):
            return Key(type_, name, node.zone)
        if type_ is Type.LISTENER:
            for service, (host, port) in node.listeners:
                if service == name:
                    return Key(type_, name, f"{host}:{port}")
        return Key(type_, name)

    def names(self, type_: Type, node: Node) -> list[str]:
        """What an Envoy is to have that asks for all: its Listeners, and the Clusters that their routes lead to."""
        listeners = [service for service, _ in node.listeners if service in self._services]
        if type_ is Type.LISTENER:
            return listeners
        for service in listeners:
            if service not in self._clusters:
                routes = self._made(Key(Type.ROUTES, service))
                self._clusters[service] = set(_clusters(routes)) if isinstance(routes, RouteConfiguration) else set()
        return sorted(set[str]().union(*(self._clusters[service] for service in listeners)))

    def watch(self, key: Key, stream: Stream) -> Watched:
        """Have the stream told of its changes from now on."""
        if key not in self._watched:
            message = self._made(key)
            self._watched[key] = Watched(Resource(message) if message else None)
        watched = self._watched[key]
        watched.streams.add(stream)
        return watched

    def unwatch(self, key: Key, stream: Stream) -> None:
        watched = self._watched[key]
        watched.streams.discard(stream)
        if watched.change:
            watched.change.left(stream)
        if not watched.streams:
            del self._watched[key]

    # What the Kubernetes API tells.

    def publish(self, snapshot: Snapshot) -> None:
        """Take in the endpoints of a Service."""
        service = snapshot.service
        last = self._services.get(service)
        self._services[service] = snapshot
        if not snapshot.there:
            del self._services[service]
        if snapshot.there and (last is not None and last.stale) != snapshot.stale:
            words = "may be out of date: the Kubernetes API is away" if snapshot.stale else "are up to date again"
            log.info("%s: its %d endpoint(s) %s", service, len(snapshot.endpoints), words)
        metrics.STALE.labels(service).set(snapshot.stale)
        metrics.ENDPOINTS.labels(service).set(len(snapshot.endpoints))
        before = set(last.endpoints) if last else set()
        now = set(snapshot.endpoints)
        what = f"{len(now)} endpoint(s), {len(now - before)} new, {len(before - now)} gone"
        came_or_went = (last is not None) != snapshot.there
        if came_or_went or before != now:  # with the Service comes and goes all that is made of it
            types = set(Type) if came_or_went else {Type.ENDPOINTS}
            keys = [key for key in self._watched if key.type in types and _service_of(key) == service]
            self._remake(keys, snapshot.heard, {Type.ENDPOINTS: what})
        if came_or_went:
            self._rename()

    def configure(self, configured: Mapping[tuple[Type, str], Message]) -> None:
        """Take in what the ConfigMap has."""
        if configured != self._configured:
            self._configured = configured
            self._remake(self._watched, time.monotonic(), {})
            self._rename()

    def start(self) -> None:
        """All is known: tell it."""
        self.synced = True
        self._rename()

    def _remake(self, keys: Iterable[Key], heard: float, what: Mapping[Type, str]) -> None:
        for key in keys:
            watched = self._watched[key]
            message = self._made(key)
            resource = Resource(message) if message else None
            if (resource and resource.version) == (watched.resource and watched.resource.version):
                continue
            watched.resource = resource
            watched.change = Change(key, resource, heard, watched.streams, what.get(key.type, ""))
            task = asyncio.create_task(watched.change.log())
            self._logging.add(task)
            task.add_done_callback(self._logging.discard)
            for stream in watched.streams:
                stream.changed(key)

    def _rename(self) -> None:
        """What `names` says may be something else now."""
        self._clusters.clear()
        for stream in self._streams:
            stream.names_changed()

    def _made(self, key: Key) -> Message | None:
        """What there is of this key now; None where nothing is."""
        if key.type is Type.LISTENER and key.variant:
            host, _, port = key.variant.rpartition(":")
            return resources.socket_listener(key.name, host, int(port)) if key.name in self._services else None
        if configured := self._configured.get((key.type, key.name)):
            return configured
        if key.type is Type.LISTENER:
            if key.name.startswith(SERVER_LISTENER):
                return self._server_listener(key.name)
            service = self._service(key.name)
            return resources.api_listener(key.name, service) if service else None
        if key.type is Type.ENDPOINTS:
            return self._load_assignment(key)
        if key.name not in self._services:
            return None
        return resources.cluster(key.name) if key.type is Type.CLUSTER else resources.route_configuration(key.name)

    def _load_assignment(self, key: Key) -> Message | None:
        """Empty for a Service that isn't there: that is as good as one without endpoints, and nobody waits for it."""
        service, _, how = key.name.partition("/")
        if not SERVICE.fullmatch(service) or how not in ("", OWN_ZONE_FIRST):
            return None
        endpoints = self._services[service].endpoints if service in self._services else ()
        if how:
            return resources.own_zone_first(key.name, endpoints, key.variant)
        return resources.load_assignment(key.name, endpoints)

    def _server_listener(self, name: str) -> Message | None:
        """The template of the ConfigMap, for the server that listens at the address in this name."""
        template = self._configured.get((Type.LISTENER, SERVER_TEMPLATE))
        host, _, port = name.removeprefix(SERVER_LISTENER).rpartition(":")
        if template is None or not host or not (port.isdecimal() and len(port) < 6 and int(port) < 65536):
            return None
        listener = Listener()
        listener.CopyFrom(template)
        listener.name = name
        listener.address.socket_address.address = host.strip("[]")
        listener.address.socket_address.port_value = int(port)
        return listener

    def _service(self, name: str) -> str | None:
        """The Service that a target means: greeter-server.NAMESPACE.svc.cluster.local:8000 or a shorter form of it."""
        host, colon, port = name.partition(":")
        service, *rest = host.removesuffix(".").split(".")
        fits = rest == [self._namespace, "svc", "cluster", "local"][: len(rest)]
        return service if service in self._services and fits and (port.isdecimal() or not colon) else None


class Change:
    """Another version of a resource, and which of its streams have yet to answer for it."""

    def __init__(self, key: Key, resource: Resource | None, heard: float, streams: Iterable[Stream], what: str) -> None:
        self._key = key
        self._resource = resource
        self._heard = heard
        self._what = what
        self._pending = set(streams)
        self._streams = len(self._pending)
        self._acked = 0
        self._settled = asyncio.Event()
        self._last = time.monotonic()

    def answered(self, stream: Stream, resource: Resource, *, acked: bool) -> None:
        """This stream has taken this resource, or refused it."""
        if resource is self._resource and stream in self._pending:
            self._pending.discard(stream)
            self._acked += acked
            self._last = time.monotonic()
            self._settle()

    def left(self, stream: Stream) -> None:
        """This stream watches it no more."""
        if stream in self._pending:
            self._pending.discard(stream)
            self._streams -= 1
            self._settle()

    def _settle(self) -> None:
        if not self._pending:
            self._settled.set()

    async def log(self) -> None:
        """How long it took from hearing of it until the clients had it."""
        if self._resource is None:
            log.info("%s %s is no more", self._key.type.value, shown(self._key.name))
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._settled.wait()
        except TimeoutError:
            pass
        seconds = self._last - self._heard
        if self._acked:
            metrics.AGE.observe(seconds)
        log.info(
            "%s %s is version %s%s; ACK from %d of %d stream(s) within %.1f ms of hearing of it",
            self._key.type.value,
            shown(self._key.name),
            self._resource.version,
            f": {self._what}" if self._what else "",
            self._acked,
            self._streams,
            1000 * seconds,
        )


def short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _service_of(key: Key) -> str:
    """What its name begins with: that of greeter-server/own-zone-first, or of the Listener greeter-server.shop:8000."""
    return re.split("[/.:]", key.name, maxsplit=1)[0]


def _clusters(routes: RouteConfiguration) -> Iterable[str]:
    for host in routes.virtual_hosts:
        for route in host.routes:
            yield from (each.name for each in route.route.weighted_clusters.clusters)
            yield from (each.cluster for each in route.route.request_mirror_policies)
            if route.route.cluster:
                yield route.route.cluster
