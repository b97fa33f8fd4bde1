"""Server-side apply: what becomes of fields, and of the order of lists, as a real Kubernetes 1.34 does it."""

import json
from typing import Any

import pytest

from lab.apimachinery.errors import Conflict
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import schema_of
from lab.apimachinery.store import Object
from lab.objects import managedfields

MAPS = schema_of(RESOURCES["configmaps"])
SERVICES = schema_of(RESOURCES["services"])
PODS = schema_of(RESOURCES["pods"])


def config_map(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def apply(live: Object | None, applied: Object, manager: str, *, force: bool = False, schema: Any = MAPS) -> Object:
    return managedfields.apply(live, applied, schema, manager, force=force)


def managers(obj: Object) -> dict[tuple[str, str], Any]:
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"]["managedFields"]}


def test_what_a_manager_no_longer_applies_goes() -> None:
    live = apply(None, config_map(a="1", b="2"), "one")
    assert apply(live, config_map(a="1"), "one")["data"] == {"a": "1"}


def test_what_another_manages_too_stays() -> None:
    live = apply(None, config_map(a="1", b="2"), "one")
    live = apply(live, config_map(b="2"), "two")
    assert apply(live, config_map(a="1"), "one")["data"] == {"a": "1", "b": "2"}


def test_another_value_is_a_conflict_that_force_wins() -> None:
    live = apply(None, config_map(a="1", b="2"), "one")
    with pytest.raises(Conflict) as error:
        apply(live, config_map(a="9"), "two")
    assert error.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    forced = apply(live, config_map(a="9"), "two", force=True)
    assert forced["data"] == {"a": "9", "b": "2"}
    assert managers(forced) == {
        ("one", "Apply"): {"f:data": {"f:b": {}}},
        ("two", "Apply"): {"f:data": {"f:a": {}}},
    }


def test_updates_take_fields_over_and_conflicts_name_each_manager() -> None:
    live = apply(None, config_map(a="1", b="2"), "one")
    for manager, change in (("edit", {"a": "7"}), ("scale", {"b": "8"})):
        changed = live | {"data": live["data"] | change}
        managedfields.track(live, changed, MAPS, manager, "scale" if manager == "scale" else "")
        live = changed
    with pytest.raises(Conflict) as error:
        apply(live, config_map(a="1", b="2"), "one")
    assert error.value.message == (
        'Apply failed with 2 conflicts: conflicts with "edit" using v1:\n- .data.a\n'
        'conflicts with "scale" with subresource "scale" using v1:\n- .data.b'
    )
    assert error.value.details is not None
    assert [cause["field"] for cause in error.value.details["causes"]] == [".data.a", ".data.b"]


def test_an_update_that_removes_a_field_leaves_nobody_managing_it() -> None:
    live = apply(None, config_map(a="1", b="2"), "one")
    changed = live | {"data": {"a": "1"}}
    managedfields.track(live, changed, MAPS, "edit")
    assert managers(changed) == {("one", "Apply"): {"f:data": {"f:a": {}}}}


def test_applying_the_same_again_changes_nothing() -> None:
    live = apply(None, config_map(a="1"), "one")
    assert apply(live, config_map(a="1"), "one") == live


def pod(names: str) -> Object:
    spec = {"containers": [{"name": name} for name in names]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("steps", "after"),
    [
        ([("one", "bd"), ("one", "bcd")], "bcd"),
        ([("one", "abc"), ("one", "ca")], "ca"),
        ([("one", "bd"), ("two", "x")], "bdx"),
        ([("one", "bd"), ("two", "x"), ("two", "ax")], "bdax"),
        ([("one", "bd"), ("two", "ax"), ("one", "db")], "daxb"),
    ],
)
def test_items_of_lists_have_the_order_of_who_applies_them(steps: list[tuple[str, str]], after: str) -> None:
    live = None
    for manager, names in steps:
        live = apply(live, pod(names), manager, schema=PODS)
    assert live is not None
    assert "".join(c["name"] for c in live["spec"]["containers"]) == after


def test_ports_are_told_apart_by_number_and_protocol() -> None:
    def service(*ports: Object) -> Object:
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": list(ports)}}

    live = apply(None, service({"port": 1, "name": "a"}, {"port": 2, "name": "b"}), "one", schema=SERVICES)
    live["spec"]["ports"][0]["protocol"] = "TCP"  # as defaults do
    live = apply(live, service({"port": 1, "name": "z"}), "one", schema=SERVICES)
    assert live["spec"]["ports"] == [{"port": 1, "name": "z", "protocol": "TCP"}]
    fields = managers(live)["one", "Apply"]["f:spec"]["f:ports"]
    assert fields == {'k:{"port":1,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}}


def test_going_over_from_client_side_apply() -> None:
    created = config_map(a="1", b="2")
    created["metadata"]["annotations"] = {managedfields.LAST_APPLIED: "{}"}
    managedfields.track(None, created, MAPS, "kubectl-client-side-apply")
    live = apply(created, config_map(a="1"), "kubectl")
    assert json.loads(live["metadata"]["annotations"][managedfields.LAST_APPLIED])["data"] == {"a": "1"}
    # kubectl then hands the fields of its former self to its new one, and applies again.
    entries = live["metadata"]["managedFields"]
    former = next(e for e in entries if e["operation"] == "Update")
    edited = json.loads(json.dumps(live))
    edited["metadata"]["managedFields"] = [former | {"manager": "kubectl", "operation": "Apply"}]
    managedfields.track(live, edited, MAPS, "kubectl")
    assert apply(edited, config_map(a="1"), "kubectl")["data"] == {"a": "1"}


@pytest.mark.parametrize(
    "entry",
    [{}, {"manager": "x"}, {"manager": "x", "operation": "Apply", "fieldsV1": {".": {}, "nonsense": {"k:{": {}}}}],
)
def test_nonsense_in_managed_fields_is_borne(entry: Object) -> None:
    live = config_map(a="1")
    live["metadata"]["managedFields"] = [entry]
    assert apply(live, config_map(a="1"), "one")["data"] == {"a": "1"}
    assert apply(live, config_map(b="1"), "x")["data"] == {"a": "1", "b": "1"}
