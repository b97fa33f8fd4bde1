"""Servers and clients of manifests/mtls on loopback, with mounted certificates, and a control plane that tells them."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import trustme
import yaml

from catalogue import ROOT
from client_xds.certificates import CLIENT, SERVER, issued
from testing.client_xds import ControlPlane, control_plane
from testing.processes import Process, loopback_network, process

MANIFESTS = ROOT / "client_xds" / "manifests" / "mtls"
PORT, HEALTH_PORT = 8443, 8081
NOBODY = "spiffe://greeter/nobody"  # has this name
numbers = count(1)


def config_map(file: str, name: str) -> dict[str, str]:
    """The data of a ConfigMap of the manifests."""
    objects = yaml.safe_load_all((MANIFESTS / file).read_text())
    [data] = [obj["data"] for obj in objects if obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == name]
    return dict(data)


def mount(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make these the files of a mounted Secret, or replace all of them at once, as a kubelet does: by one link."""
    version = directory / f"..{next(numbers)}"
    version.mkdir(parents=True)
    for name, content in files.items():
        (version / name).write_bytes(content)
    (new := directory / "..new").symlink_to(version.name)
    new.rename(directory / "..data")
    for name in files:
        if not (link := directory / name).is_symlink():
            link.symlink_to(f"..data/{name}")


@dataclass
class Mesh:
    """One CA, a control plane, and servers by their address (IP:PORT)."""

    directory: Path
    plane: ControlPlane
    resources: dict[str, str]  # the ConfigMap's
    ca: trustme.CA = field(default_factory=trustme.CA)
    network: str = field(default_factory=loopback_network)
    servers: dict[str, Process] = field(default_factory=dict)

    def configure(self, **resources: str) -> None:
        """Have the control plane say what the manifests do, but for what is given here: cluster=…, listener=…."""
        changed = {f"{name}.yaml": text for name, text in resources.items()}
        assert changed.keys() <= self.resources.keys()
        self.plane.configure(*(self.resources | changed).values())

    def cluster_of(self, server: str, *, newer: bool = False) -> str:
        """The Cluster with another name of the server, by Envoy's newer field for it where that is asked for."""
        older = "match_subject_alt_names:\n        - exact: "
        field = "match_typed_subject_alt_names:\n        - san_type: URI\n          matcher: {exact: %s}"
        cluster = self.resources["cluster.yaml"]
        assert older + SERVER in cluster
        return cluster.replace(older + SERVER, field % server if newer else older + server)

    def workload(self, kind: str, name: str = "", files: Mapping[str, bytes] | None = None) -> dict[str, str]:
        """The environment of a server or client with these certificates, which `renew` replaces."""
        directory = self.directory / (name or kind)
        mount(directory, files or self.issued(kind))
        text = config_map(f"{kind}.yaml", f"greeter-{kind}-xds")["bootstrap.json"]
        for old, new in (
            ("greeter-control-plane:18000", self.plane.address),
            ("/certs/", f"{directory}/"),
            ('"refresh_interval": "10s"', '"refresh_interval": "1s"'),
        ):
            assert old in text
            text = text.replace(old, new)
        (bootstrap := directory / "bootstrap.json").write_text(text)
        return {"GRPC_XDS_BOOTSTRAP": os.fspath(bootstrap)}

    def issued(self, kind: str) -> dict[str, bytes]:
        """New certificates of this CA."""
        return issued(self.ca, SERVER, host="greeter-server") if kind == "server" else issued(self.ca, CLIENT)

    def renew(self, name: str, files: Mapping[str, bytes]) -> None:
        mount(self.directory / name, files)

    @contextmanager
    def server(self, number: int, *flags: str, env: Mapping[str, str]) -> Iterator[tuple[str, Process]]:
        """One more, which may have to wait for the control plane, and its address."""
        host = f"{self.network}.{number}"
        where = (f"--address={host}:{PORT}", f"--health-address={host}:{HEALTH_PORT}")
        with process("client_xds.server", *where, *flags, env={**env, "POD_IP": host}) as server:
            self.servers[f"{host}:{PORT}"] = server
            yield f"{host}:{PORT}", server

    def measure(self, env: Mapping[str, str], *flags: str) -> dict[str, Any]:
        """What a client with this environment measures."""
        with self.client(env, *flags, "--json") as client:
            return result(client)

    @contextmanager
    def client(self, env: Mapping[str, str], *flags: str) -> Iterator[Process]:
        with process("client_xds.client", "--target=xds:///greeter-server", *flags, env=env) as client:
            yield client

    def direct(self, address: str, files: Mapping[str, bytes] | None) -> grpc.Channel:
        """To one server past xDS, as grpcurl does: by TLS with these certificates, or with none of its own."""
        pems = (files["tls.key"], files["tls.crt"]) if files else (None, None)
        credentials = grpc.ssl_channel_credentials(self.ca.cert_pem.bytes(), *pems)
        return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", "greeter-server")])


def result(client: Process) -> dict[str, Any]:
    """What it has measured, once it has ended."""
    measured: dict[str, Any] = json.loads(client.line(r"^\{.*")[0])
    return measured


@contextmanager
def mesh(directory: Path, servers: int = 3, *flags: str) -> Iterator[Mesh]:
    """So many servers that listen, and a control plane that says what the manifests do."""
    with ExitStack() as stack:
        running = Mesh(directory, stack.enter_context(control_plane()), config_map("greeter-xds.yaml", "greeter-xds"))
        running.configure()
        env = running.workload("server")
        for number in range(1, servers + 1):
            stack.enter_context(running.server(number, *flags, env=env))
        running.plane.publish(*running.servers)
        running.plane.start()
        for server in running.servers.values():
            server.line("Listening on")
        yield running
