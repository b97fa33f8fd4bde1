"""Every expectation can be missed, and a miss says what was seen and what was expected."""

from pathlib import Path
from typing import Any

import pytest

from catalogue import Demo
from compare import verdict

EXPECTED: dict[str, Any] = {
    "spread": {"calls": 300, "replicas": 3, "backends": 3, "tolerance": 1},
    "scale_out": {"replicas": 5, "within": "7s", "new_pods_share": 0.4, "tolerance": 0.02},
    "drills": {
        "scale_in": {"do": "scale_in", "failed_attempts": 0},
        "rolling_restart": {"do": "rolling_restart"},
        "balancer_away": {"do": "away", "component": "balancer", "away": "20s", "new_pods_within": "2s"},
    },
}


def demo(**parts: Any) -> Demo:
    return Demo("mine", Path(), EXPECTED | parts)


def spread(counts: dict[str, int], failed: int = 0) -> dict[str, Any]:
    backends = {pod: {"calls": calls} for pod, calls in counts.items()}
    calls = sum(counts.values())
    client = {"calls": calls, "attempts": calls + failed, "failed_attempts": failed, "failure_details": {}}
    return {"pods": ["a", "b", "c"], "client": client | {"backends": backends}}


def scale_out(share: float | None, first: dict[str, float], details: dict[str, int] | None = None) -> dict[str, Any]:
    failed = sum((details or {}).values())
    return {
        "within_s": 7.0,
        "share_of_new_pods": share,
        "ready": {"d": 100.0, "e": 100.0},
        "first_call_after_s": first,
        "client": {"attempts": 1000, "failed_attempts": failed, "failure_details": details or {}},
    }


def test_what_is_as_expected_misses_nothing() -> None:
    assert verdict.spread(demo(), spread({"a": 100, "b": 99, "c": 101})) == []
    assert verdict.scale_out(demo(), scale_out(0.41, {"d": 1.0, "e": 6.9})) == []
    client = {"attempts": 2000, "failed_attempts": 0, "failure_details": {}}
    assert verdict.drill(demo(), "scale_in", {"client": client}) == []


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        (spread({"a": 104, "b": 98, "c": 98}), "a got 104 of 300 calls, expected 100 ± 1"),
        (spread({"a": 300}), "1 of 3 pods got calls, expected 3"),
        (spread({"a": 100, "b": 100, "c": 99}), "299 calls were made, expected 300"),
        (spread({"a": 100, "b": 100, "x": 100}), "x answered, which no EndpointSlice lists as ready"),
        (
            spread({"a": 100, "b": 100, "c": 100}, failed=2),
            "in the spread 2 of 302 attempts failed, expected at most 0: retried with success",
        ),
    ],
)
def test_a_spread_that_misses(figures: dict[str, Any], missed: str) -> None:
    assert missed in verdict.spread(demo(), figures)


BOTH = {"d": 1.0, "e": 2.0}


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        (scale_out(0.0, {}), "new pods got 0.0% of the calls, expected 40.0% ± 2.0%"),
        (scale_out(0.43, BOTH), "new pods got 43.0% of the calls, expected 40.0% ± 2.0%"),
        (scale_out(0.4, {"d": 1.0}), "new pod e got no call in 7 s"),
        (scale_out(0.4, {"d": 1.0, "e": 8.0}), "new pod e got its first call after 8.0 s, expected within 7 s"),
        (scale_out(None, BOTH), "no call was answered 7 s after the new pods were ready"),
        (
            scale_out(0.4, BOTH, {"no route": 3}),
            "in the scale-out 3 of 1000 attempts failed, expected at most 0: 3 × no route",
        ),
    ],
)
def test_a_scale_out_that_misses(figures: dict[str, Any], missed: str) -> None:
    assert missed in verdict.scale_out(demo(), figures)


def test_where_new_pods_are_to_get_nothing_one_that_gets_a_call_is_a_miss() -> None:
    nothing = EXPECTED["scale_out"] | {"new_pods_share": 0.0, "tolerance": 0.0}
    assert verdict.scale_out(demo(scale_out=nothing), scale_out(0.0, {})) == []
    assert verdict.scale_out(demo(scale_out=nothing), scale_out(0.0, {"d": 3.0})) == [
        "new pod d got calls, expected none"
    ]


def test_a_drill_that_misses() -> None:
    few = {"attempts": 10, "failed_attempts": 0, "failure_details": {}}
    assert verdict.drill(demo(), "scale_in", {"client": few}) == ["scale in: only 10 attempts, of 2000 at least"]
    failed = {"attempts": 2000, "failed_attempts": 1, "failure_details": {"Socket closed": 1}}
    assert verdict.drill(demo(), "scale_in", {"client": failed}) == [
        "in the scale in 1 of 2000 attempts failed, expected at most 0: 1 × Socket closed"
    ]


def test_a_drill_of_which_nothing_is_promised_can_not_be_missed() -> None:
    failed = {"attempts": 2000, "failed_attempts": 9, "failure_details": {}}
    assert verdict.drill(demo(), "rolling_restart", {"client": failed}) == []


@pytest.mark.parametrize(
    ("first", "missed"),
    [
        ({"d": -3.0, "e": 2.0}, []),
        ({"d": -3.0, "e": 2.1}, ["new pod e got its first call 2.1 s after"]),
        ({"d": 1.0}, ["new pod e got no call in the 7 s after"]),
        ({}, ["new pod d got no call in the 7 s after", "new pod e got no call in the 7 s after"]),
    ],
)
def test_new_pods_that_are_called_too_late_after_the_return(first: dict[str, float], missed: list[str]) -> None:
    client = {"attempts": 2000, "failed_attempts": 9, "failure_details": {}}  # of which nothing is promised
    figures: dict[str, Any] = {
        "ready": {"d": 100.0, "e": 100.0},
        "first_call_after_s": first,
        "within_s": 2.0,
        "watched_s": 7.0,
    }
    figures["client"] = client
    since = "the balancer was back and it was ready, expected within 2 s"
    assert verdict.drill(demo(), "balancer_away", figures) == [f"balancer away: {what} {since}" for what in missed]
