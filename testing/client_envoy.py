"""The Envoy of client_envoy's manifest, real, on loopback, in front of real servers."""

import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from catalogue import ROOT
from client_envoy.client import open_channel
from testing import envoy
from testing.channels import fault, outcomes
from testing.envoy import Config, Envoy
from testing.processes import wait_until
from testing.services import Service, service

MANIFEST = ROOT / "client_envoy" / "manifests" / "client.yaml"


@dataclass
class Pods(Service):
    """Servers behind one name, and the Envoy in front of them."""

    envoy: Envoy

    def channel(self) -> grpc.Channel:
        """To Envoy, as the manifest's client opens it."""
        return open_channel(f"{self.envoy.ip}:9000")

    def fault(self, host: str, **metadata: str) -> None:
        """Ask one server for a fault, past Envoy."""
        fault(f"{host}:{self.port}", **metadata)


def cluster(config: Config) -> Config:
    """The cluster of the config."""
    found: Config = config["static_resources"]["clusters"][0]
    return found


def virtual_host(config: Config) -> Config:
    """Where the routes are, of the listener that clients dial."""
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    [found] = manager["route_config"]["virtual_hosts"]
    host: Config = found
    return host


def retry_policy(config: Config) -> Config:
    """The retry policy of the manifest's one route."""
    [route] = virtual_host(config)["routes"]
    policy: Config = route["route"]["retry_policy"]
    return policy


def as_it_is(_: Config) -> None:
    pass


def without(*names: str) -> Callable[[Config], None]:
    """A change that takes these fields out of the cluster."""

    def change(config: Config) -> None:
        for name in names:
            del cluster(config)[name]

    return change


@contextmanager
def pods(
    count: int,
    named: int | None = None,
    change: Callable[[Config], None] = as_it_is,
    concurrency: int = 1,
    flags: Sequence[str] = (),
) -> Iterator[Pods]:
    """So many servers with these flags, of which DNS names the first few, and Envoy with the config as changed."""
    with service(count, "--faults", *flags, named=named) as behind:
        config = envoy.config(MANIFEST)
        [endpoint] = cluster(config)["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = behind.port
        change(config)
        with envoy.envoy(config, behind.names.server, "--concurrency", str(concurrency)) as running:
            yield Pods(behind.servers, behind.port, behind.names, running)


def until_gone(channel: grpc.Channel, host: str, deadline: float = 0.3) -> tuple[int, int, float]:
    """Call until 30 calls in a row were answered, none of them by this host.

    How many calls failed before, of how many, and in how many seconds.
    """
    began, failed, made, good = time.monotonic(), 0, 0, 0
    last = began
    while good < 30:
        assert time.monotonic() - began < 30, f"{failed} of {made} calls failed so far: no end"
        (outcome,) = outcomes(channel, 1, deadline)
        made += 1
        good += 1
        if outcome == host or outcome.isupper():
            failed += outcome.isupper()
            good, last = 0, time.monotonic()
    return failed, made, last - began


def until_healthy(running: Pods, hosts: int) -> None:
    """Wait until Envoy holds so many hosts to be neither unhealthy nor ejected."""
    healthy = "cluster.greeter-server.membership_healthy"
    wait_until(f"{hosts} healthy hosts", lambda: stats(running.envoy).get(healthy, 0) == hosts)


def stats(running: Envoy) -> dict[str, int]:
    """Envoy's counters and gauges, from its admin."""
    with urllib.request.urlopen(f"http://{running.ip}:9901/stats?usedonly") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(": ") for line in lines)
    return {name: int(value) for name, _, value in pairs if value.isdecimal()}
