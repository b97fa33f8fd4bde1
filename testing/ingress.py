"""A demo behind the edge of a cluster, and clients outside it."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from catalogue import Demo, chosen
from compare.api import Object
from compare.namespace import CLIENT
from greeter_client.calls import greet
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing import tls
from testing.cluster import OwnNamespace, deployment, kubectl, until
from testing.processes import wait_for_answer

VARIANTS = ("grpc", "grpcs", "gateway")
SECRET = "wildcard.dev.example.com"  # noqa: S105  a name


def is_lab() -> bool:
    return kubectl("config", "current-context").stdout.strip() == "lab"


class Outside:
    """One variant in a namespace, changed by a test; and what a client outside the cluster sees of it."""

    def __init__(self, namespace: OwnNamespace, variant: str) -> None:
        self.namespace = namespace
        [demo] = chosen([f"ingress/{variant}"])
        self.demo: Demo = namespace.own(demo)
        self.host = f"{namespace.name}.dev.example.com"
        self.objects = self.demo.objects()
        deployment(self.objects)["spec"] |= {"minReadySeconds": 0}
        self.objects = [obj for obj in self.objects if obj["metadata"]["name"] != CLIENT or obj["kind"] != "Deployment"]

    def one(self, kind: str) -> Object:
        """The object of this kind, to be changed."""
        return next(obj for obj in self.objects if obj["kind"] == kind)

    def apply(self, objects: Sequence[Object] = ()) -> None:
        """Apply these, or its own, which have an edge, and wait for all of that."""
        self.namespace.apply_objects(objects or self.objects)
        self.namespace.rolled_out()
        if not objects:
            self.namespace.edge()

    @property
    def ca(self) -> bytes:
        return str(self.namespace.get("configmap", "greeter-ca")["data"]["ca.crt"]).encode()

    @property
    def port(self) -> int:
        return 10443 if is_lab() else 443  # ports under 1024 move up in the lab

    @property
    def address(self) -> str:
        return f"{self.namespace.edge()}:{self.port}"

    def channel(
        self, host: str = "", ca: bytes | None = None, address: str = ""
    ) -> AbstractContextManager[grpc.Channel]:
        """To another host, by another CA, at another address where these are given."""
        return tls.channel(address or self.address, host or self.host, ca or self.ca)

    def answer(self, host: str = "", ca: bytes | None = None, size: int = 3) -> str:
        """What becomes of one call on a channel of its own: OK, or the code and the details."""
        with self.channel(host, ca) as channel:
            call = greet(GreeterStub(channel), "x" * size, 10)
        return "OK" if call.code == "OK" else f"{call.code}: {call.details}"

    def until(self, text: str, **call: Any) -> str:
        """Wait for an answer that begins with the text; return it."""
        return wait_for_answer(text, lambda: self.answer(**call), timeout=60, every=0.2)

    def certificate(self) -> bytes:
        """The certificate that is served, in DER."""
        return tls.served(self.address, self.host)

    def replace_certificate(self, certificate: trustme.LeafCert) -> None:
        """In the Secret, as whoever renews certificates does."""
        data = tls.secret_data(certificate)
        self.namespace.kubectl("patch", "secret", SECRET, "-p", json.dumps({"data": data}))

    def problem(self, reason: str, name: str = "greeter") -> str:
        """The message of a Warning of the lab's controller about the Ingress, once there is one."""
        which = f"reason={reason},involvedObject.name={name}"
        find = partial(self.namespace.get, "events", "--field-selector", which)
        events = until(f"a {reason} about {name}", lambda: find()["items"])
        return str(events[0]["message"])


def grpcurl(outside: Outside, ca: Path, *args: str, ok: bool = True) -> str:
    """What grpcurl prints, whether it succeeds or is to fail; it is told where the edge is, and asks for the host."""
    program = shutil.which("grpcurl")
    if not program:
        pytest.skip("grpcurl is not on PATH")
    flags = ["-cacert", os.fspath(ca), "-authority", outside.host]
    done = subprocess.run([program, *flags, *args], capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr
