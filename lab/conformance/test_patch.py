"""The kinds of patch, each as kubectl uses it."""

from lab.conformance.api import JSON_PATCH, STRATEGIC, Api, Object, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment


async def unscaled(api: Api) -> Object:
    """A Deployment of no pods with two containers, three variables and a port."""
    env = [{"name": name, "value": name.lower()} for name in ("A", "B", "C")]
    first = container(SLEEP, "first", env=env, ports=[{"containerPort": 8000}])
    return await api.create("deployments", deployment("web", first, container(SLEEP, "second"), replicas=0))


def containers(obj: Object) -> list[Object]:
    found: list[Object] = obj["spec"]["template"]["spec"]["containers"]
    return found


def template(*patched: Object, **fields: object) -> Object:
    return {"spec": {"template": {"spec": {"containers": list(patched)} | fields}}}


async def test_a_merge_patch_changes_removes_and_adds_fields(api: Api) -> None:
    await api.create("configmaps", configmap("one", data={"kept": "1", "changed": "1", "removed": "1"}))
    patched = await api.patch("configmaps", "one", {"data": {"changed": "2", "removed": None, "added": "2"}})
    assert patched["data"] == {"kept": "1", "changed": "2", "added": "2"}


async def test_a_merge_patch_replaces_a_list_whole(api: Api) -> None:
    await unscaled(api)
    patched = await api.patch("deployments", "web", template(container(SLEEP, "third")))
    assert [c["name"] for c in containers(patched)] == ["third"]


async def test_a_strategic_patch_merges_containers_and_their_lists_by_their_keys(api: Api) -> None:
    await unscaled(api)
    change = {
        "name": "first",
        "env": [{"name": "B", "value": "changed"}, {"name": "D", "value": "new"}],
        "ports": [{"containerPort": 8000, "name": "grpc"}, {"containerPort": 9000}],
    }
    patched = await api.patch("deployments", "web", template(change), STRATEGIC)
    first, second = sorted(containers(patched), key=lambda c: str(c["name"]))
    assert {e["name"]: e["value"] for e in first["env"]} == {"A": "a", "B": "changed", "C": "c", "D": "new"}
    assert {p["containerPort"]: p.get("name") for p in first["ports"]} == {8000: "grpc", 9000: None}
    assert first["command"] == second["command"] == SLEEP


async def test_a_strategic_patch_obeys_its_directives(api: Api) -> None:
    await unscaled(api)
    gone = {"name": "second", "$patch": "delete"}
    alone = {"name": "first", "env": [{"$patch": "replace"}, {"name": "X", "value": "x"}]}
    patched = await api.patch("deployments", "web", template(gone, alone), STRATEGIC)
    assert [c["name"] for c in containers(patched)] == ["first"]
    assert containers(patched)[0]["env"] == [{"name": "X", "value": "x"}]


async def test_a_strategic_patch_sets_the_order_of_a_list(api: Api) -> None:
    await unscaled(api)
    order = {"$setElementOrder/containers": [{"name": "second"}, {"name": "first"}]}
    patched = await api.patch("deployments", "web", template({"name": "first", "stdin": True}, **order), STRATEGIC)
    assert [c["name"] for c in containers(patched)] == ["second", "first"]


async def test_a_strategic_patch_merges_lists_of_plain_values(api: Api) -> None:
    await api.create("configmaps", configmap("one", metadata={"name": "one", "finalizers": ["example.com/a"]}))
    both = await api.patch("configmaps", "one", {"metadata": {"finalizers": ["example.com/b"]}}, STRATEGIC)
    assert both["metadata"]["finalizers"] == ["example.com/b", "example.com/a"]
    removal = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a", "example.com/b"]}}
    none = await api.patch("configmaps", "one", removal, STRATEGIC)
    assert "finalizers" not in none["metadata"]


async def test_a_json_patch_adds_replaces_and_removes_by_path(api: Api) -> None:
    await api.create("configmaps", configmap("one", data={"a": "1", "b": "1"}))
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/b"},
        {"op": "add", "path": "/metadata/labels", "value": {"app.kubernetes.io/name": "x"}},
        {"op": "replace", "path": "/metadata/labels/app.kubernetes.io~1name", "value": "y"},
    ]
    patched = await api.patch("configmaps", "one", operations, JSON_PATCH)
    assert patched["data"] == {"a": "2"}
    assert patched["metadata"]["labels"] == {"app.kubernetes.io/name": "y"}


async def test_a_json_patch_that_does_not_fit_changes_nothing(api: Api) -> None:
    await api.create("configmaps", configmap("one", data={"a": "1"}))
    refusal = "the server rejected our request due to an error in our request"
    for wrong in ({"op": "test", "path": "/data/a", "value": "2"}, {"op": "remove", "path": "/data/b"}):
        with refused(422, "Invalid", refusal):
            operations = [{"op": "add", "path": "/data/c", "value": "3"}, wrong]
            await api.patch("configmaps", "one", operations, JSON_PATCH)
    assert (await api.get("configmaps", "one"))["data"] == {"a": "1"}


async def test_a_patch_that_changes_nothing_makes_no_new_version(api: Api) -> None:
    made = await api.create("configmaps", configmap("one", data={"a": "1"}))
    same = await api.patch("configmaps", "one", {"data": {"a": "1"}})
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    other = await api.patch("configmaps", "one", {"data": {"a": "2"}})
    assert other["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


async def test_a_patch_of_an_unknown_type_or_of_nothing_is_refused(api: Api) -> None:
    await api.create("configmaps", configmap("one"))
    with refused(415, "UnsupportedMediaType", "Unsupported Media Type"):
        await api.patch("configmaps", "one", {}, "application/json")
    with refused(404, "NotFound", 'configmaps "two" not found'):
        await api.patch("configmaps", "two", {})


async def test_the_generation_counts_what_was_asked_for_and_nothing_else(api: Api) -> None:
    assert (await unscaled(api))["metadata"]["generation"] == 1
    labelled = await api.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    scaled = await api.patch("deployments", "web", {"spec": {"paused": True}})
    assert scaled["metadata"]["generation"] == 2


async def test_the_scale_subresource_reads_and_writes_the_replicas_alone(api: Api) -> None:
    await unscaled(api)
    await api.patch("deployments", "web", {"spec": {"paused": True}})  # nothing is to start
    scale = await api.patch("deployments", "web", {"spec": {"replicas": 2}}, subresource="scale")
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"]["selector"] == "app=web"
    assert (await api.get("deployments", "web"))["spec"]["replicas"] == 2
    none = {"metadata": {"name": "web"}, "spec": {"replicas": 0}}
    assert (await api.replace("deployments", none, "scale"))["spec"] == {}
