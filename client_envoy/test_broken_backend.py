"""What a server that stops, breaks or is slow costs, with the protections of the manifest and without."""

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from client_envoy.client import open_channel
from testing.channels import connect, outcomes
from testing.client_envoy import as_it_is, cluster, pods, stats, until_gone, virtual_host, without
from testing.envoy import Config
from testing.processes import wait_until


def test_a_server_that_is_told_to_stop_fails_no_call() -> None:
    with pods(3) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGTERM)
        failed, _, _ = until_gone(channel, host, deadline=2.0)
        assert running.servers[host].end() == 0
    assert failed == 0


@pytest.mark.parametrize("checked", [True, False])
def test_a_server_that_calls_itself_not_serving_gets_no_calls_though_it_answers_unless_nobody_asks(
    checked: bool,
) -> None:
    change = as_it_is if checked else without("health_checks")
    with pods(3, change=change, flags=["--drain=1m"]) as running, running.channel() as channel:
        connect(channel, 3)
        host = next(iter(running.servers))
        running.servers[host].signal(signal.SIGTERM)
        running.servers[host].line("health is NOT_SERVING")
        if checked:
            failed, _, seconds = until_gone(channel, host, deadline=2.0)
            assert failed == 0
            assert seconds < 7  # interval 2 s, and a busy machine
        else:
            assert outcomes(channel, 30)[host] == 10
        with open_channel(f"{host}:{running.port}") as direct:
            assert outcomes(direct, 1, deadline=5) == {host: 1}


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
        del virtual_host(config)["routes"][0]["route"]["retry_policy"]

    with pods(3, change=change) as running, running.channel() as channel:
        connect(channel, 3)
        next(iter(running.servers.values())).kill()
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
        assert outcomes(channel, 30, deadline=1.0)["DEADLINE_EXCEEDED"] == 10
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
        assert counts[slow] < 80
