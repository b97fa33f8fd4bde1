"""Who gets calls when most servers are out: by their health checks, by what their calls came back as, or by both."""

import signal
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from greeter_client.calls import greet
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, outcomes
from testing.client_envoy import Pods, as_it_is, cluster, pods, stats, until_healthy
from testing.envoy import Config
from testing.processes import wait_until

EJECTED = "cluster.greeter-server.outlier_detection.ejections_active"
ACTIVE = "cluster.greeter-server.upstream_rq_active"
PANIC = "cluster.greeter-server.lb_healthy_panic"


def hang(running: Pods, hosts: Iterable[str]) -> None:
    """Have these hang, and wait until Envoy knows."""
    hanging = list(hosts)
    for host in hanging:
        running.servers[host].signal(signal.SIGSTOP)
    until_healthy(running, len(running.servers) - len(hanging))


def never_panics(config: Config) -> None:
    cluster(config)["common_lb_config"]["healthy_panic_threshold"] = {"value": 0}


def fail(running: Pods, hosts: Iterable[str]) -> None:
    """Have these answer every call with an error, and call themselves healthy."""
    for host in hosts:
        running.fault(host, fault="error=INTERNAL", fault_for="60s")


@pytest.mark.parametrize("panics", [False, True])
def test_with_two_of_three_known_to_hang_the_third_gets_every_call_unless_envoy_panics(panics: bool) -> None:
    def by_default(config: Config) -> None:
        del cluster(config)["common_lb_config"]["healthy_panic_threshold"]

    with pods(3, change=by_default if panics else as_it_is) as running, running.channel() as channel:
        connect(channel, 3)
        *hung, well = running.servers
        hang(running, hung)
        counts = outcomes(channel, 30, deadline=0.3)
        panicked = stats(running.envoy).get(PANIC, 0)
    if panics:
        assert counts == {"DEADLINE_EXCEEDED": 20, well: 10}
        assert panicked >= 30
    else:
        assert (counts, panicked) == ({well: 30}, 0)


@pytest.mark.parametrize(
    ("change", "code", "details"),  # of a deadline, the client's own words or Envoy's, whichever was first
    [
        (as_it_is, "DEADLINE_EXCEEDED", ("Deadline Exceeded", "downstream duration timeout")),
        (never_panics, "UNAVAILABLE", ("no healthy upstream",)),
    ],
)
def test_with_all_known_to_hang_a_call_is_tried_and_fails_at_once_only_where_envoy_never_panics(
    change: Callable[[Config], None], code: str, details: tuple[str, ...]
) -> None:
    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        hang(running, running.servers)
        call = greet(GreeterStub(channel), "you", 1)
    assert call.code == code
    assert call.details in details


@pytest.mark.parametrize("change", [as_it_is, never_panics])
def test_when_dns_names_other_hosts_altogether_no_call_fails_unless_envoy_never_panics(
    change: Callable[[Config], None],
) -> None:
    """A rollout that is faster than the DNS cache does that: for some milliseconds all hosts are new, and unchecked.

    Here for as long as they hang, which passes no check.
    """
    with pods(4, named=2, change=change) as running, running.channel() as channel, ThreadPoolExecutor(6) as callers:
        connect(channel, 2)
        new = list(running.servers)[2:]
        hang(running, new)
        running.names.addresses[:] = new
        until_healthy(running, 0)
        calls = [callers.submit(outcomes, channel, 1, deadline=20) for _ in range(6)]

        def sent_or_refused() -> bool:
            return stats(running.envoy).get(ACTIVE, 0) + sum(call.done() for call in calls) == len(calls)

        wait_until("Envoy has them all", sent_or_refused)
        for host in new:
            running.servers[host].signal(signal.SIGCONT)
        counts = sum((call.result() for call in calls), Counter[str]())
    print(f"other hosts altogether, {change.__name__}: {counts['UNAVAILABLE']} of {counts.total()} calls failed")
    assert counts.keys() == ({"UNAVAILABLE"} if change is never_panics else set(new))


@pytest.mark.parametrize(
    ("servers", "percent", "ejected"), [(1, 50, 0), (2, 50, 1), (3, 50, 1), (3, 10, 0), (3, 100, 3)]
)
def test_where_all_answer_errors_the_allowed_share_is_ejected_rounded_down(
    servers: int, percent: int, ejected: int
) -> None:
    """50 is the manifest's, 10 Envoy's default."""

    def change(config: Config) -> None:
        assert cluster(config)["outlier_detection"]["max_ejection_percent"] == 50
        cluster(config)["outlier_detection"]["max_ejection_percent"] = percent

    with pods(servers, change=change) as running, running.channel() as channel:
        connect(channel, servers)
        fail(running, running.servers)
        outcomes(channel, 10 * servers)
        wait_until("ejections", lambda: stats(running.envoy).get(EJECTED, 0) == ejected)
        assert outcomes(channel, 10) == {"INTERNAL": 10}
        assert stats(running.envoy).get(EJECTED, 0) == ejected


def test_of_two_of_three_that_answer_errors_one_is_ejected_and_the_other_fails_half_of_the_calls() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        *failing, well = running.servers
        fail(running, failing)
        failed = outcomes(channel, 90)["INTERNAL"]
        print(f"two of three answer errors: {failed} of 90 calls failed")
        assert outcomes(channel, 30) == {"INTERNAL": 15, well: 15}


def test_neither_the_ejected_nor_the_unhealthy_get_calls() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        hung, failing, well = running.servers
        hang(running, [hung])
        fail(running, [failing])
        assert outcomes(channel, 30)["INTERNAL"] == 5
        assert outcomes(channel, 30) == {well: 30}


def test_where_the_unhealthy_and_the_ejected_are_all_together_all_are_tried() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        *hung, failing = running.servers
        hang(running, hung)
        fail(running, [failing])
        outcomes(channel, 5)
        until_healthy(running, 0)
        assert outcomes(channel, 30, deadline=0.3) == {"DEADLINE_EXCEEDED": 20, "INTERNAL": 10}


@pytest.mark.parametrize("waits", [False, True])
def test_who_comes_back_broken_is_ejected_after_as_many_failures_as_before_unless_news_waits(waits: bool) -> None:
    def change(config: Config) -> None:
        cluster(config)["outlier_detection"]["base_ejection_time"] = "2s"
        if waits:
            del cluster(config)["common_lb_config"]["update_merge_window"]

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        fail(running, list(running.servers)[:1])
        assert outcomes(channel, 30)["INTERNAL"] == 5
        until_healthy(running, 3)  # it has served its time
        failed = outcomes(channel, 90)["INTERNAL"]
    assert (failed > 5) if waits else (failed == 5)
