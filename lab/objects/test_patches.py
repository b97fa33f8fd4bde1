"""Patches that don't fit, and the order in which lists merge: that of a real Kubernetes 1.34."""

from typing import Any

import pytest

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import schema_of
from lab.objects.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC, patched
from lab.objects.strategic import strategic_merge

SCHEMA = schema_of(RESOURCES["deployments"])
POD_SPEC = SCHEMA["properties"]["spec"]["properties"]["template"]["properties"]["spec"]


def containers(names: str) -> dict[str, Any]:
    return {"containers": [{"name": name, "image": "i"} for name in names]}


def order(names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("bdf", {"containers": order("a")}, "abdf"),
        ("abdf", {"containers": order("fb")}, "adfb"),
        ("adfb", {"containers": order("zdy")}, "zadyfb"),
        ("zadyfb", {"$setElementOrder/containers": order("ybd"), "containers": order("b")}, "zayfbd"),
        ("zayfbd", {"$setElementOrder/containers": order("bcf"), "containers": order("c")}, "zaybcfd"),
        ("zaybcfd", {"containers": [{"name": "z", "$patch": "delete"}]}, "aybcfd"),
        ("abc", {"$setElementOrder/containers": order("cba")}, "cba"),
        ("aybcfd", {"containers": [{"$patch": "replace"}, {"name": "q"}]}, "q"),
        ("abc", {"containers": None}, ""),
    ],
)
def test_lists_merge_by_their_key_in_kubernetes_order(before: str, patch: dict[str, Any], after: str) -> None:
    merged = strategic_merge(containers(before), patch, POD_SPEC).get("containers", [])
    assert "".join(c["name"] for c in merged) == after


def test_only_the_keys_that_are_to_be_retained_stay() -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    retained = {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}
    assert strategic_merge(spec, retained, POD_SPEC)["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


@pytest.mark.parametrize(
    "patch",
    [
        {"containers": [{"image": "x"}]},
        {"containers": ["x"]},
        {"$patch": "explode"},
        {"$retainKeys": "a"},
        {"$setElementOrder/containers": 5, "containers": []},
        {"$deleteFromPrimitiveList/x": 5},
    ],
)
def test_a_strategic_patch_that_is_none(patch: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        strategic_merge(containers("a"), patch, POD_SPEC)


@pytest.mark.parametrize(("kind", "patch"), [(MERGE_PATCH, [1]), (STRATEGIC, "x"), (JSON_PATCH, {}), (JSON_PATCH, [5])])
def test_a_patch_of_the_wrong_shape(kind: str, patch: Any) -> None:
    with pytest.raises(BadRequest):
        patched(kind, {}, patch, SCHEMA)
