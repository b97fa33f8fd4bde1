"""The sentences follow from the figures: of one that balances, of one that doesn't, and of several side by side."""

from typing import Any

import pytest

from compare import conclusions
from compare.test_output import BALANCED, PINNED, row
from compare.verdict import Row


def got(*calls: int, first: dict[str, float], share: float, expected: dict[str, Any] = BALANCED, **fields: Any) -> Row:
    """One whose pods got so many calls, and whose two new ones their first calls so soon."""
    figures = row(expected=expected, **fields)
    assert figures.spread
    assert figures.scale_out
    pods = [f"10.0.0.{n}" for n in range(len(calls))]
    figures.spread["client"]["backends"] = {pod: {"calls": n} for pod, n in zip(pods, calls, strict=True)}
    figures.spread["pods"] = pods
    figures.scale_out |= {"ready": {"d": 1.0, "e": 1.0}, "first_call_after_s": first, "share_of_new_pods": share}
    figures.demo.expectations["scale_out"] = figures.demo.expectations["scale_out"] | {"replicas": 5}
    return figures


BOTH = {"d": 0.3, "e": 0.6}


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (
            got(100, 100, 100, first=BOTH, share=0.4),
            "Each of the three pods answered 100 calls. The last added pod had its first call 0.6 s after it was "
            "ready. New pods then got 40% of the calls; an even share is 40%.",
        ),
        (
            got(300, 0, 0, first={}, share=0.0, expected=PINNED),
            "One pod of three answered all 300 calls, and the added pods got none: this is the problem.",
        ),
        (
            got(300, 0, 0, first={}, share=0.0, missed=["two pods got no calls"]),
            "One pod of three answered all 300 calls. The added pods got none.",
        ),
        (
            got(101, 100, 99, first={"d": -0.1, "e": 0.0}, share=0.3),
            "The three pods answered 101, 100 and 99 calls. The last added pod had its first call as soon as it was "
            "ready. New pods then got 30% of the calls; an even share is 40%.",
        ),
        (
            got(0, 0, 0, first={"d": 1.0}, share=0.1, missed=["all calls failed"]),
            "Each of the three pods answered 0 calls. Only one of the two added pods got calls.",
        ),
        (row(spread=None, scale_out=None, error="no pod"), ""),
    ],
)
def test_a_strategy_is_concluded_from_its_figures(figures: Row, said: str) -> None:
    assert conclusions.of(figures) == said


def measured(name: str, soon: float, p50: float, **fields: Any) -> Row:
    figures = row(name, **fields)
    assert figures.spread
    assert figures.scale_out
    figures.scale_out["first_call_after_s"] = {"10.0.0.3": soon}
    figures.spread["client"]["direct"]["ratio"] = {"p50": p50, "p99": 2.0}
    return figures


def test_strategies_are_told_apart_where_their_figures_are() -> None:
    problem = measured("clusterip", 0, 1.1, expected=PINNED)
    rows = [problem, measured("a", 22.4, 1.0), measured("b", -0.1, 1.7), measured("c", 0.5, 1.13)]
    assert conclusions.overall(rows) == [
        "a, b and c balance calls: every pod got its share, and so did added pods. clusterip does not balance them: "
        "some pods got none.",
        "With b and c, added pods got calls soonest: at most 0.5 s after they were ready. With a, it took 22 s.",
        "With a and c, the median call took 1.0 to 1.1 times as long as a call made directly to a pod. With b, it took "
        "1.7 times as long. These factors are good to a tenth or two on an idle machine.",
    ]


def test_where_dns_caches_answers_how_soon_is_said_to_be_luck() -> None:
    asks = BALANCED | {"scale_out": BALANCED["scale_out"] | {"dns_cached": True}}
    said = conclusions.overall([measured("a", 0.6, 1.0, expected=asks), measured("b", 0.0, 1.0)])[1]
    assert said.endswith("0.6 s after they were ready. It is partly luck with a, because DNS caches answers.")


def test_differences_below_what_can_be_measured_are_none() -> None:
    rows = [measured("a", 0.9, 1.0), measured("b", 0.0, 1.2), measured("c", 0.5, 1.0), measured("d", 0.0, 1.1)]
    assert conclusions.overall(rows) == [
        "Four strategies balance calls: every pod got its share, and so did added pods.",
        "With all of them, added pods got calls equally soon: at most 0.9 s after they were ready.",
        "With all of them, the median call took 1.0 to 1.2 times as long as a call made directly to a pod. These "
        "factors are good to a tenth or two on an idle machine.",
    ]


def test_what_missed_its_prediction_is_compared_with_none_and_what_was_not_measured_is_not_mentioned() -> None:
    rows = [measured("a", 0.9, 1.0), measured("b", 0.0, 1.2, missed=["m"]), row("c", error="e"), row("d", lacks="API")]
    assert conclusions.overall(rows) == [
        "a balances calls: every pod got its share, and so did added pods. b and c did not behave as predicted."
    ]


def test_the_problem_alone_is_no_balance() -> None:
    [said] = conclusions.overall([row("clusterip", PINNED)])
    assert said == "clusterip does not balance calls: some pods got none."
