"""What expectations.toml has written wrongly is said in one line: a drill before anything is measured."""

import time
from pathlib import Path
from typing import Any

import pytest

from catalogue import Demo
from compare.conftest import Refusal
from compare.errors import CompareError
from compare.trial import check_drills, count_down, deadline

AWAY = {"do": "away", "component": "balancer", "away": "20s", "failed_attempts": 0, "new_pods_within": "2s"}


def test_the_drills_of_a_strategy_can_be_made_and_the_servers_are_the_same_for_all(demo: Demo) -> None:
    check_drills(demo)
    assert {"scale_in", "rolling_restart"} <= demo.expectations["drills"].keys()
    assert all(demo.expectations["drills"][name]["do"] == name for name in ("scale_in", "rolling_restart"))


@pytest.mark.parametrize(
    ("drill", "message"),
    [
        (0, ' is 0, no table; write {do = "scale_in", failed_attempts = 0}'),
        ({}, ".do is 'None', which is no drill; write scale_in, rolling_restart, away"),
        ({"do": "explode"}, ".do is 'explode', which is no drill; write scale_in, rolling_restart, away"),
        ({"do": ["away"]}, ".do is '['away']', which is no drill; write scale_in, rolling_restart, away"),
        ({"do": "away", "away": "1s"}, " lacks component; see compare/README.md"),
        ({"do": "away"}, " lacks component, away; see compare/README.md"),
        (
            {"do": "scale_in", "faild_attempts": 0},
            ".faild_attempts is nothing that scale_in knows; write failed_attempts",
        ),
        (
            {"do": "scale_in", "new_pods_within": "2s"},
            ".new_pods_within is nothing that scale_in knows; write failed_attempts",
        ),
        ({"do": "scale_in", "failed_attempts": "few"}, ".failed_attempts is 'few', no number of attempts; write 0 say"),
        ({"do": "scale_in", "failed_attempts": -1}, ".failed_attempts is '-1', no number of attempts; write 0 say"),
        ({"do": "scale_in", "failed_attempts": True}, ".failed_attempts is 'True', no number of attempts; write 0 say"),
        (AWAY | {"away": 20}, ".away is '20', not a duration; write 30s, 1m30s or 500ms"),
        (AWAY | {"new_pods_within": "soon"}, ".new_pods_within is 'soon', not a duration; write 30s, 1m30s or 500ms"),
        (AWAY | {"dns_cached": "yes"}, ".dns_cached is 'yes'; write true or false"),
        (
            AWAY | {"component": "balancr"},
            ".component is 'balancr'; name one that the manifests have beside servers and client: balancer",
        ),
        (
            AWAY | {"component": ["balancer"]},
            ".component is '['balancer']'; name one that the manifests have beside servers and client: balancer",
        ),
        (
            AWAY | {"component": "server"},
            ".component is 'server'; name one that the manifests have beside servers and client: balancer",
        ),
    ],
)
def test_a_drill_that_can_not_be_made_is_named_with_what_is_wrong(
    own: Path, balancer: Path, drill: Any, message: str
) -> None:
    demo = Demo("mine/variant", own / "mine" / "manifests", {"drills": {"good": AWAY, "mad": drill}})
    with pytest.raises(CompareError) as caught:
        check_drills(demo)
    assert str(caught.value) == f"mine/expectations.toml: drills.mad{message}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            '[drills]\ngone = {do = "away", component = "balancer", away = "1s"}',
            "drills.gone.component is 'balancer'; name one that the manifests have beside servers and client: none",
        ),
        ("[drills]\nscale_in = 0", 'drills.scale_in is 0, no table; write {do = "scale_in", failed_attempts = 0}'),
    ],
)
def test_it_ends_the_command_with_one_line(refusal: Refusal, own: Path, written: str, message: str) -> None:
    expectations = own / "mine" / "expectations.toml"
    expectations.write_text(expectations.read_text().partition("[drills]")[0] + written)
    assert refusal(root=own) == f"compare: mine/expectations.toml: {message}"


def test_a_time_that_is_none_is_named_with_its_remedy() -> None:
    wrong = Demo("mine", Path(), {"scale_out": {"within": "soon", "dns_cached": True}})
    with pytest.raises(CompareError, match=r"mine/expectations.toml: within is 'soon', not a duration; write 30s"):
        deadline(wrong, dns_cache=0)


async def test_a_wait_is_told_each_second_and_over_in_time() -> None:
    told: list[str] = []
    end = time.time() + 1.2
    await count_down(end, "counts calls", told.append)
    assert told[:2] == ["counts calls: 1 s", "counts calls: 0 s"]
    assert time.time() >= end
