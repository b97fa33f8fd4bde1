"""One call by each of gRPC's implementations, to read what they say when it fails: C-core, grpc-go, grpc-js."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from helloworld import helloworld_pb2
from testing import golang

SOURCES = Path(__file__).with_name("testdata")
Call = Callable[..., str]  # of a target and what the programs in testdata/ take; gives the status that it ended with


def python(
    target: str,
    *,
    tls: bool = False,
    authority: str = "",
    override: str = "",
    metadata: Mapping[str, str] | None = None,
    bytes: int = 3,  # noqa: A002 (as the others call it)
    timeout: float = 20,
    method: str = "SayHello",
    options: Sequence[tuple[str, Any]] = (),
) -> str:
    """By C-core, which has the words of Python, C++, Ruby and PHP."""
    arguments = [("grpc.enable_http_proxy", 0), *options]
    if override:
        arguments.append(("grpc.ssl_target_name_override", override))
    roots = Path(authority).read_bytes() if authority else None
    secure = tls and grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options=arguments)
    with secure or grpc.insecure_channel(target, options=arguments) as channel:
        rpc: Any = channel.unary_unary(f"/helloworld.Greeter/{method}")
        request = helloworld_pb2.HelloRequest(name="x" * bytes).SerializeToString()
        try:
            rpc(request, timeout=timeout, metadata=tuple((metadata or {}).items()))
        except grpc.RpcError as error:
            return f"{error.code().name} {error.details()}"
    return "OK"


def go(directory: Path) -> Call:
    """By grpc-go: build its client in this directory. Skips where that can't be done."""
    golang.downloaded(SOURCES / "go")
    return _calling(str(golang.build(SOURCES / "go", directory / "client")))


def node(directory: Path) -> Call:
    """By grpc-js: install its client in this directory. Skips where that can't be done."""
    if not shutil.which("npm"):
        pytest.skip("npm is not on PATH")
    copied = Path(shutil.copytree(SOURCES / "node", directory / "node"))
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    if subprocess.run(install, cwd=copied, capture_output=True).returncode:
        pytest.skip("grpc-js can't be downloaded")
    return _calling("node", str(copied / "client.mjs"))


def _calling(*command: str) -> Call:
    def call(target: str, **options: Any) -> str:
        asked = json.dumps({"target": target, **options})
        # grpc-js asks the DNS server that a target names only so.
        environment = os.environ | {"GRPC_NODE_USE_ALTERNATIVE_RESOLVER": "true"}
        done = subprocess.run([*command, asked], env=environment, capture_output=True, text=True, timeout=60)
        assert done.stdout, done.stderr
        return done.stdout.strip()

    return call
