"""The controller as a program of its own, on the API of a lab; behind it greeters that are processes of the test."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import pytest
import trustme
from lightkube import Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Event, Namespace
from lightkube.resources.networking_v1 import Ingress
from lightkube.types import PatchType

from greeter_client.calls import greet
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing import tls
from testing.ingress_nginx import controller
from testing.processes import Process, running_lab, wait_for_answer, wait_until

Object = dict[str, Any]
CLASS, CONTROLLER = "tests", "example.com/tests"
PREFIX = "nginx.ingress.kubernetes.io/"
CONFIG = ("default", "settings")
SETTINGS = f"--configmap={'/'.join(CONFIG)}"


def tls_secret(name: str, certificate: trustme.LeafCert) -> Object:
    data = tls.secret_data(certificate)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data}


def path(service: str = "web", path: str = "/", kind: str = "Prefix", port: int | str = 80) -> Object:
    named = {"name": port} if isinstance(port, str) else {"number": port}
    return {"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": named}}}


def create_class(client: Client, name: str, controller: str) -> None:
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name}}
    client.create(from_dict(made | {"spec": {"controller": controller}}))


class Edge:
    """A namespace and a host name of the test's own, and the controller that serves all."""

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = address
        self.ingress_class = CLASS
        self.ca = trustme.CA()
        self.namespace = f"t{uuid.uuid4().hex[:8]}"
        self.host = f"{self.namespace}.dev.example.com"
        client.create(Namespace(metadata=ObjectMeta(name=self.namespace)))
        self.create(tls_secret("wildcard", self.ca.issue_cert("*.dev.example.com")))

    def create(self, obj: Object) -> None:
        obj["metadata"]["namespace"] = self.namespace
        self.client.create(from_dict(obj))

    @contextmanager
    def own_controller(self, config: str, *flags: str) -> Iterator[Process]:
        """From here on, one of the test's own instead, with a class of its own: two would publish two addresses."""
        self.ingress_class, name = self.namespace, f"example.com/{self.namespace}"
        create_class(self.client, self.ingress_class, name)
        with controller(config, name, *flags) as (running, self.address):
            yield running

    def service(self, *addresses: str, name: str = "web", port: Object | None = None) -> None:
        """A Service, port 80 named grpc by default, of these ready addresses."""
        given: Object = {"name": "grpc", "port": 80} | (port or {})
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [given]}}
        self.create(service)
        self.create(self.slice(*addresses, name=name, port_name=given["name"]))

    def slice(self, *addresses: str, name: str = "web", port_name: str = "grpc") -> Object:
        port = int(addresses[0].rpartition(":")[2]) if addresses else 1
        endpoints = [{"addresses": [a.rpartition(":")[0]], "conditions": {"ready": True}} for a in addresses]
        meta = {"name": name, "namespace": self.namespace, "labels": {"kubernetes.io/service-name": name}}
        slice_: Object = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
        return slice_ | {"metadata": meta, "endpoints": endpoints, "ports": [{"name": port_name, "port": port}]}

    def ingress(self, *paths: Object, name: str = "web", host: str | None = None, **more: Any) -> None:
        """By default with TLS by the wildcard certificate, and GRPC; `more` are annotations by their short names.

        `spec` among them is merged into its spec. When it has its address, nginx goes by it.
        """
        host = self.host if host is None else host
        rule: Object = {"http": {"paths": list(paths) or [path()]}} | ({"host": host} if host else {})
        spec: Object = {
            "ingressClassName": self.ingress_class,
            "rules": [rule],
            "tls": [{"secretName": "wildcard", "hosts": [host]}],
        }
        spec |= more.pop("spec", {})
        given = {"backend_protocol": "GRPC"} | more
        named = {key if "/" in key else PREFIX + key.replace("_", "-"): value for key, value in given.items()}
        annotations = {key: value for key, value in named.items() if value is not None}
        meta = {"name": name, "annotations": annotations}
        self.create({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec})
        if spec["ingressClassName"] == self.ingress_class:
            wait_until(f"an address of {name}", lambda: self.has_address(name))

    def problem(self, reason: str, name: str = "web") -> str:
        """The message of a Warning about an Ingress, once there is one."""

        def found() -> str | None:
            events = self.client.list(Event, namespace=self.namespace)
            ours = [e for e in events if (e.reason, e.involvedObject.name, e.type) == (reason, name, "Warning")]
            return ours[0].message if ours else None

        return str(wait_until(f"a {reason} about {name}", found))

    def problems(self, name: str = "web") -> list[str]:
        """The reasons of all Events about an Ingress."""
        events = self.client.list(Event, namespace=self.namespace)
        return [str(event.reason) for event in events if event.involvedObject.name == name]

    def has_address(self, name: str = "web") -> bool:
        status = self.client.get(Ingress, name, namespace=self.namespace).status
        return bool(status and status.loadBalancer and status.loadBalancer.ingress)

    def channel(self, host: str = "", ca: trustme.CA | None = None) -> AbstractContextManager[grpc.Channel]:
        return tls.channel(f"{self.address}:8443", host or self.host, (ca or self.ca).cert_pem.bytes())

    def answer(self, host: str = "", ca: trustme.CA | None = None, size: int = 1) -> str:
        """What becomes of one call on a channel of its own: the backend, or the code and details."""
        with self.channel(host, ca) as channel:
            call = greet(GreeterStub(channel), "x" * size, 5)
        return call.backend or f"{call.code}: {call.details}"

    def until(self, text: str, **call: Any) -> str:
        """Wait for an answer that begins with the text; return it. For one that comes after another has reloaded."""
        return wait_for_answer(text, lambda: self.answer(**call))

    def certificate(self, host: str) -> bytes:
        """The certificate that is served to whoever asks for this host."""
        return tls.served(f"{self.address}:8443", host)


@pytest.fixture(scope="session")
def lab_config() -> Iterator[str]:
    with running_lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def client(lab_config: str) -> Iterator[Client]:
    client = Client(KubeConfig.from_file(lab_config).get(), trust_env=False)
    yield client
    client.close()


@pytest.fixture(scope="session")
def address(lab_config: str, client: Client) -> Iterator[str]:
    """Of a controller that all tests share."""
    create_class(client, CLASS, CONTROLLER)
    with controller(lab_config, CONTROLLER, SETTINGS) as (_, address):
        yield address


@pytest.fixture
def edge(client: Client, address: str) -> Edge:
    return Edge(client, address)


@pytest.fixture
def settings(client: Client) -> Iterator[Callable[..., None]]:
    """Writes the controller's ConfigMap; without it in the end."""
    client.create(ConfigMap(metadata=ObjectMeta(name=CONFIG[1], namespace=CONFIG[0])))

    def write(**data: str) -> None:
        patch = {"data": {key.replace("_", "-"): value for key, value in data.items()}}
        client.patch(ConfigMap, CONFIG[1], patch, namespace=CONFIG[0], patch_type=PatchType.MERGE)

    yield write
    client.delete(ConfigMap, CONFIG[1], namespace=CONFIG[0])
