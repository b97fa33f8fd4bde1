"""The Envoy of the manifest, real, in front of real servers: who gets calls, and what a broken backend costs."""

import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from client_envoy.client import open_channel
from greeter_client.call import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from tests import envoy
from tests.dns import Names, dns
from tests.envoy import Config, Envoy
from tests.processes import Process, greeters, wait_until

MANIFEST = Path(__file__).parent / "manifests" / "client.yaml"
CALLS = "client_envoy.server"  # the module that answers


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
    count: int, named: int | None = None, change: Callable[[Config], None] = as_it_is, concurrency: int = 1
) -> Iterator[Pods]:
    """So many servers, of which DNS names the first few, and Envoy with the config as the test changes it."""
    with ExitStack() as stack:
        servers = stack.enter_context(greeters(count, "--faults", module=CALLS))
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


def stats(running: Envoy) -> dict[str, int]:
    """Envoy's counters and gauges, from its admin."""
    with urllib.request.urlopen(f"http://{running.ip}:9901/stats?usedonly") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(": ") for line in lines)
    return {name: int(value) for name, _, value in pairs if value.isdecimal()}


def test_calls_over_one_channel_take_turns_to_the_call() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
    assert counts.keys() == running.servers.keys()
    assert all(abs(count - 100) <= 1 for count in counts.values()), counts


def test_the_same_client_without_envoy_stays_with_one_backend() -> None:
    with pods(3) as running:
        targets = ",".join(f"{host}:{running.port}" for host in running.servers)
        with open_channel(f"ipv4:{targets}") as channel:
            counts = outcomes(channel, 30)
    assert list(counts.values()) == [30], counts


def test_with_several_workers_each_channel_is_even_by_itself() -> None:
    """Each connection belongs to one worker, and each worker has a rotation of its own."""
    with pods(3, concurrency=4) as running:
        for _ in range(4):
            with running.channel() as channel:
                connect(channel, 3)
                counts = outcomes(channel, 150)
            assert all(abs(count - 50) <= 1 for count in counts.values()), counts


def test_a_host_that_dns_names_from_now_on_gets_calls_within_the_refresh() -> None:
    with pods(3, named=2) as running, running.channel() as channel:
        connect(channel, 2)
        new = list(running.servers)[2]
        assert new not in outcomes(channel, 30)
        running.names.addresses.append(new)
        began = time.monotonic()
        wait_until("calls of the new host", lambda: new in outcomes(channel, 3))
        assert time.monotonic() - began < 8 + 4  # as expectations.toml has it, and a busy machine


@pytest.mark.parametrize("dropped", [True, False])
def test_a_healthy_host_that_dns_names_no_more_gets_no_calls_unless_health_alone_decides(dropped: bool) -> None:
    change = as_it_is if dropped else without("ignore_health_on_host_removal")
    with pods(2, change=change) as running, running.channel() as channel:
        connect(channel, 2)
        gone = running.names.addresses.pop()
        answers = "cluster.greeter-server.update_success"
        before = stats(running.envoy)[answers]
        wait_until("two more answers of DNS", lambda: stats(running.envoy)[answers] > before + 1)
        assert (gone in outcomes(channel, 30)) != dropped


def test_a_server_that_is_told_to_stop_fails_no_call() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGTERM)
        failed, made, _ = until_gone(channel, host, deadline=2.0)
        assert running.servers[host].end() == 0
    assert (failed, made >= 30) == (0, True)


def test_a_server_that_is_killed_fails_no_more_than_the_call_that_it_has_in_hand() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGKILL)
        counts = outcomes(channel, 90)
    print(f"kill: {90 - sum(counts[host] for host in running.servers)} of 90 calls failed")
    assert counts["UNAVAILABLE"] <= 1


def test_without_retries_it_does() -> None:
    def change(config: Config) -> None:
        without("health_checks", "outlier_detection")(config)
        manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        del manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["retry_policy"]

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        next(iter(running.servers.values())).signal(signal.SIGKILL)
        assert outcomes(channel, 90)["UNAVAILABLE"] == 30


def test_a_server_that_hangs_is_left_alone_once_a_health_check_has_failed() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGSTOP)
        failed, made, seconds = until_gone(channel, host)
        running.servers[host].signal(signal.SIGCONT)
    print(f"hang: {failed} of {made} calls failed, for {seconds:.1f} s")
    assert failed > 0
    assert seconds < 10  # interval 2 s, timeout 1 s, and a busy machine


def test_without_health_checks_and_outlier_detection_a_third_of_the_calls_hang_for_good() -> None:
    with pods(3, change=without("health_checks", "outlier_detection")) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGSTOP)
        assert outcomes(channel, 30, deadline=0.3)["DEADLINE_EXCEEDED"] == 10
        running.servers[host].signal(signal.SIGCONT)


@pytest.mark.parametrize("watched", [True, False])
def test_a_server_that_answers_errors_and_calls_itself_healthy_is_ejected_by_outlier_detection(
    watched: bool,
) -> None:
    with pods(3, change=as_it_is if watched else without("outlier_detection")) as running, running.channel() as channel:
        connect(channel, 3)
        running.fault(next(iter(running.servers)), fault="error=INTERNAL", fault_for="60s")
        counts = outcomes(channel, 90)
        print(f"errors, outlier detection {watched}: {counts['INTERNAL']} of 90 calls failed")
        if watched:
            assert counts["INTERNAL"] == 5  # consecutive_5xx
            assert stats(running.envoy)["cluster.greeter-server.outlier_detection.ejections_active"] == 1
        else:
            assert counts["INTERNAL"] == 30


@pytest.mark.parametrize("stays", [True, False])
def test_an_ejected_server_stays_so_though_its_health_check_succeeds_unless_that_unejects_it(stays: bool) -> None:
    def change(config: Config) -> None:
        cluster(config)["outlier_detection"]["successful_active_health_check_uneject_host"] = not stays

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        running.fault(next(iter(running.servers)), fault="error=INTERNAL", fault_for="60s")
        assert outcomes(channel, 90)["INTERNAL"] == 5
        checks = "cluster.greeter-server.health_check.success"
        before = stats(running.envoy)[checks]
        wait_until("a check of each server, and another", lambda: stats(running.envoy)[checks] >= before + 6)
        assert (outcomes(channel, 30)["INTERNAL"] == 0) == stays


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "LEAST_REQUEST"])
def test_a_slow_server_gets_its_turn_by_round_robin_and_little_by_least_request(policy: str) -> None:
    def change(config: Config) -> None:
        cluster(config)["lb_policy"] = policy

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        slow = next(iter(running.servers))
        running.fault(slow, fault="delay=50ms", fault_for="60s")
        with ThreadPoolExecutor(6) as callers:
            counts = sum(callers.map(lambda _: outcomes(channel, 50, deadline=5), range(6)), Counter[str]())
    print(f"{policy}: {counts[slow]} of 300 calls to the slow server")
    assert counts.keys() == running.servers.keys()
    if policy == "ROUND_ROBIN":
        assert abs(counts[slow] - 100) <= 1
    else:
        assert counts[slow] < 60


def test_attempts_that_envoy_made_are_counted() -> None:
    with pods(2, change=without("outlier_detection")) as running, running.channel() as channel:
        connect(channel, 2)
        running.fault(next(iter(running.servers)), fault="error=UNAVAILABLE", fault_for="60s")
        before = stats(running.envoy)["cluster.greeter-server.upstream_rq_total"]
        calls = [greet(GreeterStub(channel), "you", 2) for _ in range(20)]
        attempts = stats(running.envoy)["cluster.greeter-server.upstream_rq_total"] - before
    assert [call.code for call in calls] == ["OK"] * 20
    assert sum(call.attempts for call in calls) == attempts > 20


def test_a_deadline_reaches_envoy_which_ends_the_call_by_it() -> None:
    with pods(1, change=without("health_checks")) as running, running.channel() as channel:
        connect(channel, 1)
        running.fault(next(iter(running.servers)), fault="delay=5s", fault_for="60s")
        assert outcomes(channel, 1, deadline=0.5) == {"DEADLINE_EXCEEDED": 1}
        wait_until("the access log", lambda: " OK " not in running.envoy.log.splitlines()[-1])
        *_, last = running.envoy.log.splitlines()
    assert last.split()[1] in ("-", "DeadlineExceeded")  # the client hung up, or Envoy was first
    assert 400 <= int(last.split("ms ")[0].rpartition(" ")[2]) < 3000


def test_the_access_log_has_status_host_and_attempts() -> None:
    with pods(1) as running, running.channel() as channel:
        outcomes(channel, 1, deadline=5)
        host = next(iter(running.servers))
        line = f"/helloworld.Greeter/SayHello OK {host}:{running.port} attempts=1 "
        wait_until("the access log", lambda: line in running.envoy.log)


def test_where_dns_knows_no_backend_a_call_fails_at_once_with_the_reason() -> None:
    with pods(1, named=0) as running, running.channel() as channel:
        call = greet(GreeterStub(channel), "you", 5)
    assert (call.code, call.details) == ("UNAVAILABLE", "no healthy upstream")
    assert call.latency < 2


def test_ready_says_nothing_but_that_it_is() -> None:
    with pods(1) as running:
        with urllib.request.urlopen(f"http://{running.envoy.ip}:9902/ready") as answer:
            assert (answer.status, answer.read()) == (200, b"")
        for path in ("stats", "quitquitquit"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{running.envoy.ip}:9902/{path}")


def test_no_deprecated_field_is_used_and_envoy_has_nothing_to_warn_of() -> None:
    with pods(1) as running:
        assert "runtime.deprecated_feature_use" not in stats(running.envoy)
        assert "[warning]" not in running.envoy.log


def test_a_deprecated_field_would_be_warned_of() -> None:
    """Envoy 1.40 doesn't count in its stats what its bootstrap file uses."""

    def change(config: Config) -> None:
        del cluster(config)["typed_extension_protocol_options"]
        cluster(config)["http2_protocol_options"] = {}

    with pods(1, change=change) as running:
        assert "Using deprecated option 'envoy.config.cluster.v3.Cluster.http2_protocol_options'" in running.envoy.log


def test_envoy_itself_finds_nothing_wrong_with_the_config() -> None:
    checked = envoy.validate(envoy.config(MANIFEST))
    assert checked.returncode == 0, checked.stderr
    assert "OK" in checked.stdout


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lb_polcy", "ROUND_ROBIN", "no such field: 'lb_polcy'"),
        ("lb_policy", "ROUND_ROBBIN", "ROUND_ROBBIN"),
        ("connect_timeout", "1 second", "connect_timeout"),
    ],
)
def test_a_broken_config_is_caught_with_envoys_own_message(field: str, value: str, message: str) -> None:
    config = envoy.config(MANIFEST)
    cluster(config)[field] = value
    checked = envoy.validate(config)
    assert checked.returncode == 1
    assert message in " ".join(checked.stderr.split())
