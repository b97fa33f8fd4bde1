"""For tests: the Envoy of the manifest, real, on loopback, in front of real servers."""

import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from client_envoy.client import open_channel
from greeter_client.call import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from tests import envoy
from tests.dns import Names, dns
from tests.envoy import Config, Envoy
from tests.processes import Process, greeters, wait_until

MANIFEST = Path(__file__).parent / "manifests" / "client.yaml"
SERVER = "client_envoy.server"


@dataclass
class Pods:
    """Servers behind one name, and the Envoy in front of them."""

    servers: dict[str, Process]  # by address
    port: int
    names: Names
    envoy: Envoy

    def channel(self) -> grpc.Channel:
        """To Envoy, as the manifest's client opens it."""
        return open_channel(f"{self.envoy.ip}:9000")

    def fault(self, host: str, **metadata: str) -> None:
        """Ask one server for a fault, past Envoy."""
        with grpc.insecure_channel(f"{host}:{self.port}") as direct:
            asked = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
            GreeterStub(direct).SayHello.future(HelloRequest(name="fault"), metadata=asked, timeout=5).exception()


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
    with ExitStack() as stack:
        servers = stack.enter_context(greeters(count, "--faults", *flags, module=SERVER))
        hosts = {address.rpartition(":")[0]: server for server, address in servers}
        port = int(servers[0][1].rpartition(":")[2])
        names = stack.enter_context(dns(list(hosts)[:named]))
        config = envoy.config(MANIFEST)
        [endpoint] = cluster(config)["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
        change(config)
        running = stack.enter_context(envoy.envoy(config, names.server, "--concurrency", str(concurrency)))
        yield Pods(hosts, port, names, running)


def outcomes(channel: grpc.Channel, calls: int, deadline: float = 1.0) -> Counter[str]:
    """How many calls each backend has answered, and how many failed with which code."""
    stub = GreeterStub(channel)
    made = (greet(stub, "you", deadline) for _ in range(calls))
    return Counter(each.backend or each.code for each in made)


def connect(channel: grpc.Channel, backends: int) -> None:
    """Call until so many backends have answered: they are healthy and connected then."""
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.update(outcome for outcome in outcomes(channel, 1) if not outcome.isupper())
        return len(seen) == backends

    wait_until(f"{backends} backends", all_seen)


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
