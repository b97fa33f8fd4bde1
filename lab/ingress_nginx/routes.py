"""What the Ingresses of a class ask for: hosts, their paths, and where each leads; and what they ask for in vain.

Sources: Kubernetes' docs on Ingress and its API reference (networking.k8s.io/v1), and for what these leave open,
ingress-nginx's: the oldest Ingress wins where two want the same, a path without endpoints answers 503, a host without a
certificate that can be used gets the controller's own.
"""

import ssl
from base64 import b64decode
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from endpoint_watch.endpoints import SERVICE_NAME, ready
from lab.ingress_nginx import annotations
from lab.ingress_nginx.classes import class_of, served
from lab.ingress_nginx.mirror import Key, Mirror, Object

EVERY_HOST = ""  # the host of rules without one


class Place(NamedTuple):
    """A path of a host; `exact` or a prefix, whose elements are compared."""

    path: str
    exact: bool


EVERYTHING = Place("/", exact=False)


@dataclass(frozen=True)
class Backend:
    """A Service's port, and the addresses behind it."""

    name: str  # as the access log has it
    endpoints: tuple[str, ...] = ()  # IP:PORT


@dataclass(frozen=True)
class Location:
    """Where a path leads, and how."""

    backend: Backend
    settings: dict[str, str]


@dataclass
class Host:
    locations: dict[Place, Location] = field(default_factory=dict)
    certificate: tuple[bytes, bytes] | None = None  # PEM: chain and key


class Problem(NamedTuple):
    """What can't be done for an object as it asks: the reason and message of an Event."""

    about: Object
    reason: str
    message: str


@dataclass
class Routes:
    settings: dict[str, str]  # of the whole controller
    hosts: dict[str, Host] = field(default_factory=dict)
    ingresses: list[Object] = field(default_factory=list)  # that are of the class
    problems: list[Problem] = field(default_factory=list)


def routes(mirror: Mirror, controller: str, config: Key) -> Routes:
    """All that is asked for now. `config` is where the controller's ConfigMap is, which need not be there."""
    return _Reading(mirror, config).all_of(served(mirror.all("IngressClass").values(), controller))


class _Reading:
    """One pass over the Ingresses."""

    def __init__(self, mirror: Mirror, config: Key) -> None:
        self._mirror = mirror
        self._slices: dict[Key, list[Object]] = {}  # by namespace and name of their Service
        for (namespace, _), slice_ in mirror.all("EndpointSlice").items():
            service = (slice_["metadata"].get("labels") or {}).get(SERVICE_NAME, "")
            self._slices.setdefault((namespace, service), []).append(slice_)
        configmap = mirror.all("ConfigMap").get(config) or {}
        given = configmap.get("data") or {}
        self._routes = Routes(annotations.DEFAULTS | annotations.accepted(given, annotations.KNOWN))
        for message in annotations.refused(given, annotations.KNOWN):
            self._routes.problems.append(Problem(configmap, "NotHonoured", message))

    def all_of(self, names: set[str]) -> Routes:
        ingresses = [i for i in self._mirror.all("Ingress").values() if class_of(i) in names]
        # The oldest first: what it has, no younger one takes.
        ingresses.sort(key=lambda i: (i["metadata"]["creationTimestamp"], i["metadata"]["uid"]))
        self._routes.ingresses = ingresses
        for ingress in ingresses:
            self._read(ingress)
        return self._routes

    def _problem(self, ingress: Object, reason: str, message: str) -> None:
        self._routes.problems.append(Problem(ingress, reason, message))

    def _read(self, ingress: Object) -> None:
        given = annotations.own(ingress["metadata"].get("annotations"))
        for message in annotations.refused(given, annotations.OF_ONE, annotations.PREFIX):
            self._problem(ingress, "NotHonoured", message)
        settings = self._routes.settings | annotations.accepted(given, annotations.OF_ONE)
        spec = ingress["spec"]
        rules = spec.get("rules") or []
        for rule in rules:
            for path in (rule.get("http") or {}).get("paths") or []:
                self._add(ingress, rule.get("host") or EVERY_HOST, _path(path), path["backend"], settings)
        if spec.get("defaultBackend"):  # for what no path has
            for name in {rule.get("host") or EVERY_HOST for rule in rules} or {EVERY_HOST}:
                if EVERYTHING not in self._routes.hosts.setdefault(name, Host()).locations:
                    self._add(ingress, name, EVERYTHING, spec["defaultBackend"], settings)
        self._certify(ingress)

    def _add(self, ingress: Object, name: str, path: Place, backend: Object, settings: dict[str, str]) -> None:
        host = self._routes.hosts.setdefault(name, Host())
        if path in host.locations:
            what = f"path {path.path} of {name or 'every host'}"
            remedy = "an older Ingress has it, or an earlier rule of this one; delete one of them"
            self._problem(ingress, "Conflict", f"{what} is taken: {remedy}")
            return
        found = self._backend(ingress, backend)
        host.locations[path] = Location(found, settings)

    def _backend(self, ingress: Object, backend: Object) -> Backend:
        """The Service's port; without endpoints where there is none."""
        namespace = ingress["metadata"]["namespace"]
        if "service" not in backend:
            self._problem(ingress, "NotHonoured", "a backend that is no Service is answered by 503; name a Service")
            return Backend(f"{namespace}-resource")
        name, wanted = backend["service"]["name"], backend["service"].get("port") or {}
        port = wanted.get("name") or wanted.get("number", "")
        service = self._mirror.all("Service").get((namespace, name))
        called = f"{namespace}-{name}-{port}"
        if not service:
            remedy = "it is answered by 503 until there is one; an Ingress reaches Services of its own namespace only"
            self._problem(ingress, "ServiceNotFound", f"there is no Service {namespace}/{name}: {remedy}")
            return Backend(called)
        ports = service["spec"].get("ports") or []
        found = next((p for p in ports if port and port in (p.get("name"), p["port"])), None)
        if not found:
            has = ", ".join(f"{p['port']} ({p.get('name') or 'no name'})" for p in ports) or "none"
            message = f'Service {namespace}/{name} has no port "{port}", and is answered by 503; it has {has}'
            self._problem(ingress, "ServicePortNotFound", message)
            return Backend(called)
        return Backend(called, self._endpoints(namespace, name, found.get("name") or ""))

    def _endpoints(self, namespace: str, service: str, port_name: str) -> tuple[str, ...]:
        found = ready(self._slices.get((namespace, service), ()), port_name)
        return tuple(f"{f'[{e.address}]' if ':' in e.address else e.address}:{e.port}" for e in found)

    def _certify(self, ingress: Object) -> None:
        """Give the hosts of an Ingress the certificates that it names."""
        spec = ingress["spec"]
        hosts = {rule.get("host") or EVERY_HOST for rule in spec.get("rules") or []}
        for tls in spec.get("tls") or []:
            certificate = self._certificate(ingress, tls.get("secretName") or "")
            for name in hosts:
                host = self._routes.hosts.get(name)
                if host and not host.certificate and _covers(tls.get("hosts") or [], name):
                    host.certificate = certificate

    def _certificate(self, ingress: Object, name: str) -> tuple[bytes, bytes]:
        """Of a Secret; an empty one, for which the controller's own is served, where that can't be."""
        if not name:
            return b"", b""
        namespace = ingress["metadata"]["namespace"]
        where, remedy = f"Secret {namespace}/{name}", "the controller's own certificate is served, which nobody trusts"
        secret = self._mirror.all("Secret").get((namespace, name))
        if not secret:
            elsewhere = "; it must be in the namespace of the Ingress"
            self._problem(ingress, "SecretNotFound", f"there is no {where}: {remedy}{elsewhere}")
            return b"", b""
        data = secret.get("data") or {}
        if lacking := [key for key in ("tls.crt", "tls.key") if not data.get(key)]:
            message = f"{where} has no {' and no '.join(lacking)}: {remedy}; make it by kubectl create secret tls"
            self._problem(ingress, "InvalidSecret", message)
            return b"", b""
        chain, key = b64decode(data["tls.crt"]), b64decode(data["tls.key"])
        if wrong := _unusable(chain, key):
            self._problem(ingress, "InvalidSecret", f"{where} can't be used ({wrong}): {remedy}")
            return b"", b""
        return chain, key


def _path(path: Object) -> Place:
    """A prefix ends where its last element does: /a/ and /a are the same."""
    given = path.get("path") or "/"
    exact = path["pathType"] == "Exact"
    return Place(given if exact else given.rstrip("/") or "/", exact)


def _covers(hosts: list[str], name: str) -> bool:
    """Whether a `tls` of these hosts is for this one; one without hosts is for all."""
    return not hosts or name in hosts or f"*.{name.partition('.')[2]}" in hosts


@lru_cache(maxsize=1000)  # it is asked of every certificate whenever anything changes
def _unusable(chain: bytes, key: bytes) -> str:
    """What is wrong with a certificate, so that one bad Secret isn't nginx's, and everybody's, problem."""
    with TemporaryDirectory() as directory:
        files = Path(directory, "chain"), Path(directory, "key")
        files[0].write_bytes(chain)
        files[1].write_bytes(key)
        try:
            # With a password: without one, OpenSSL asks a terminal for that of an encrypted key.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password="")
        except (ssl.SSLError, ValueError) as error:
            return str(error)
    return ""
