"""Server-side apply: each manager owns what it applies (KEP-555)."""

from lab.conformance.api import APPLY, Api, Object, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment


async def apply(api: Api, plural: str, obj: Object, manager: str, **query: str) -> Object:
    return await api.patch(plural, obj["metadata"]["name"], obj, APPLY, fieldManager=manager, **query)


async def test_apply_creates_and_then_changes(api: Api) -> None:
    made = await apply(api, "configmaps", configmap("one", data={"a": "1"}), "alice")
    changed = await apply(api, "configmaps", configmap("one", data={"a": "2"}), "alice")
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["data"] == {"a": "2"}
    (entry,) = changed["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("alice", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


async def test_what_a_manager_no_longer_applies_goes_unless_another_owns_it_too(api: Api) -> None:
    await apply(api, "configmaps", configmap("one", data={"mine": "1", "ours": "1"}), "alice")
    await apply(api, "configmaps", configmap("one", data={"ours": "1", "theirs": "1"}), "bob")
    left = await apply(api, "configmaps", configmap("one"), "alice")
    assert left["data"] == {"ours": "1", "theirs": "1"}


async def test_a_field_of_another_manager_is_a_conflict_unless_forced(api: Api) -> None:
    await apply(api, "configmaps", configmap("one", data={"a": "1"}), "alice")
    with refused(409, "Conflict", 'Apply failed with 1 conflict: conflict with "alice": .data.a'):
        await apply(api, "configmaps", configmap("one", data={"a": "2"}), "bob")
    taken = await apply(api, "configmaps", configmap("one", data={"a": "2"}), "bob", force="true")
    assert taken["data"] == {"a": "2"}
    owners = {e["manager"]: e["fieldsV1"].get("f:data") for e in taken["metadata"]["managedFields"]}
    assert owners == {"bob": {"f:a": {}}}


async def test_containers_are_applied_by_their_name(api: Api) -> None:
    await apply(api, "deployments", deployment("web", container(SLEEP, "one"), replicas=0), "alice")
    both = await apply(api, "deployments", deployment("web", container(SLEEP, "two")), "bob")
    assert {c["name"] for c in both["spec"]["template"]["spec"]["containers"]} == {"one", "two"}
    assert both["spec"]["replicas"] == 0


async def test_apply_needs_a_manager_and_the_whole_identity(api: Api) -> None:
    with refused(422, "Invalid", "fieldManager: Required value: is required for apply patch"):
        await api.patch("configmaps", "one", configmap("one"), APPLY)
    with refused(400, "BadRequest", "does not match"):
        await api.patch("configmaps", "two", configmap("one"), APPLY, fieldManager="alice")
