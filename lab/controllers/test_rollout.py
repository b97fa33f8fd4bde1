"""The arithmetic of a rollout, with the numbers of Kubernetes' own tests and documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.apimachinery.store import Object
from lab.controllers.rollout import max_surge, max_unavailable, old_sizes


def deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> Object:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": limits}}
    return {"metadata": {"name": "web"}, "spec": spec}


def replica_set(name: str, size: int, available: int | None = None) -> Object:
    status = {"availableReplicas": size if available is None else available}
    return {"metadata": {"name": name}, "spec": {"replicas": size}, "status": status}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (3, "25%", "25%", (1, 0)),  # surge rounds up, unavailable down
        (10, "30%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (5, 2, 0, (2, 0)),
        (5, 0, 0, (0, 1)),  # both zero would get stuck
        (3, 0, "10%", (0, 1)),
        (2, 1, 5, (1, 2)),  # no more can be unavailable than there are
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_rounds_down(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    limits = deployment(replicas, surge, unavailable)
    assert (max_surge(limits), max_unavailable(limits)) == expected


@pytest.mark.parametrize(
    ("unavailable", "old_available", "new", "new_available", "expected"),
    [
        (0, 10, 0, 0, {}),
        (2, 10, 0, 0, {"old": 8}),
        (2, 8, 2, 0, {"old": 8}),  # its unhealthy pods go, which makes nothing worse
        (2, 10, 2, 2, {"old": 6}),
        (2, 10, 2, 0, {"old": 8}),
        (0, 10, 2, 2, {"old": 8}),
    ],
)
def test_the_old_replica_set_shrinks_by_what_may_be_missing(
    unavailable: int, old_available: int, new: int, new_available: int, expected: dict[str, int]
) -> None:
    old = [replica_set("old", 10, old_available)]
    assert old_sizes(deployment(10, 2, unavailable), old, replica_set("new", new, new_available)) == expected


@given(
    replicas=st.integers(1, 20),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    old=st.lists(st.tuples(st.integers(1, 10), st.integers(0, 10)), max_size=3),
    new=st.tuples(st.integers(0, 10), st.integers(0, 10)),
)
def test_no_step_takes_an_available_pod_that_is_needed(
    replicas: int, surge: int, unavailable: int, old: list[tuple[int, int]], new: tuple[int, int]
) -> None:
    limits = deployment(replicas, surge, unavailable)
    sets = [replica_set(str(number), size, min(size, ready)) for number, (size, ready) in enumerate(old)]
    latest = replica_set("new", new[0], min(new))
    sizes = old_sizes(limits, sets, latest)
    before = sum(rs["status"]["availableReplicas"] for rs in [*sets, latest])
    lost = sum(max(0, rs["status"]["availableReplicas"] - sizes.get(rs["metadata"]["name"], 99)) for rs in sets)
    assert lost == 0 or before - lost >= replicas - max_unavailable(limits)
    assert all(size >= 0 for size in sizes.values())
