"""The arithmetic of a result, on calls written by hand."""

import pytest

from greeter_client.calls import Call
from greeter_client.result import beside, describe, jain, summarize


def call(start: float, backend: str = "a", code: str = "OK", attempts: int = 1, latency: float = 0.001) -> Call:
    return Call(start, latency, code, backend if code == "OK" else "", attempts, "")


@pytest.mark.parametrize(
    ("counts", "index"), [([100, 100, 100], 1), ([300, 0, 0], 1 / 3), ([2, 1], 0.9), ([], 0), ([0, 0], 0)]
)
def test_jain_is_1_for_equal_shares_and_1_nth_for_one_of_n(counts: list[int], index: float) -> None:
    assert jain(counts) == pytest.approx(index)


def test_backends_that_were_expected_and_never_answered_count_as_idle() -> None:
    calls = [call(0), call(0.1), call(0.2)]
    assert summarize(calls)["jain"] == 1
    assert summarize(calls, expected_backends=3)["jain"] == pytest.approx(1 / 3, abs=1e-4)


def test_retries_and_failures_are_counted_as_the_attempts_they_were() -> None:
    result = summarize([call(0), call(1, attempts=3), call(2, code="UNAVAILABLE"), call(3, code="UNAVAILABLE")])
    assert (result["calls"], result["attempts"], result["failed_attempts"]) == (4, 6, 4)
    assert result["failures"] == {"UNAVAILABLE": 2}


def test_each_backend_has_its_count_and_the_times_of_its_first_and_last_call() -> None:
    result = summarize([call(10, "a"), call(11, "b"), call(12, "a")])
    assert result["backends"]["a"] == {"calls": 2, "first_seen": 10, "last_seen": 12}
    assert (result["started"], result["ended"]) == (10, 12.001)


def test_windows_are_of_one_second_from_the_first_call_and_judge_each_for_itself() -> None:
    result = summarize([call(10.2, "a"), call(11.1, "b"), call(11.3, "a"), call(11.5, code="INTERNAL")])
    assert result["windows"] == [
        {"second": 0, "backends": {"a": 1, "b": 1}, "failures": 0, "jain": 1.0},
        {"second": 1, "backends": {"a": 1}, "failures": 1, "jain": 0.5},
    ]


def test_percentiles_are_in_milliseconds_of_calls_that_succeeded() -> None:
    calls = [call(n, latency=n / 1000) for n in range(1, 101)] + [call(200, code="UNAVAILABLE", latency=9)]
    assert summarize(calls)["latency_ms"] == {"p50": 50.5, "p99": 99.01}


def test_nothing_measured_is_no_division_by_zero() -> None:
    assert summarize([])["latency_ms"] is None
    assert "0 calls" in describe(summarize([]))


def test_the_reasons_of_failures_are_said_each_in_one_line() -> None:
    calls = [Call(n, 0.1, "UNAVAILABLE", "", 1, "no route\n to host" if n else "") for n in range(3)]
    lines = describe(summarize(calls)).splitlines()
    assert lines[1:] == ["  2 × no route to host", "  1 × without a reason given"]


@pytest.mark.parametrize(
    ("backends", "said"),
    [
        ("a", "of the 1 backend that answered; idle ones count with --backends)"),
        ("ab", "of the 2 backends that answered; idle ones count with --backends)"),
    ],
)
def test_of_how_many_backends_fairness_is_is_said(backends: str, said: str) -> None:
    calls = [call(n, backends[n % len(backends)]) for n in range(4)]
    assert said in describe(summarize(calls))
    assert "of 3 backends)" in describe(summarize(calls, expected_backends=3))


def test_the_ratio_to_a_direct_channel_is_per_percentile() -> None:
    ours, plain = [call(n, latency=0.003) for n in range(9)], [call(n, latency=0.002) for n in range(9)]
    assert beside(ours, plain)["ratio"] == {"p50": 1.5, "p99": 1.5}
