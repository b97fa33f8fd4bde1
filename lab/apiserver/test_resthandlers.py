"""Objects over REST: created, listed, changed, scaled and deleted, as clients of Kubernetes know it."""

from typing import Any

from lab.apimachinery.store import Object
from lab.objects.patches import MERGE_PATCH as MERGE
from lab.testing import settled, until
from lab.testing.hollow import Call, HollowLab

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


def config_map(name: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata, "data": {"a": "b"}}


def deployment(name: str = "web", replicas: int = 1) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "greeter:dev"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str = "web", **spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]} | spec}


async def test_create_read_update_and_delete(call: Call) -> None:
    created = await call("POST", MAPS, config_map("x"))
    assert created.code == 201
    assert created.body["metadata"]["namespace"] == "default"
    again = await call("POST", MAPS, config_map("x"))
    assert (again.code, again.body["reason"]) == (409, "AlreadyExists")
    changed = created.body | {"data": {"a": "c"}}
    updated = await call("PUT", f"{MAPS}/x", changed)
    assert updated.body["data"] == {"a": "c"}
    stale = await call("PUT", f"{MAPS}/x", changed | {"data": {}})
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    renamed = await call("PUT", f"{MAPS}/x", config_map("y"))
    assert "does not match the name on the URL" in renamed.body["message"]
    assert (await call("PUT", f"{MAPS}/y", config_map("y"))).code == 404
    deleted = await call("DELETE", f"{MAPS}/x")
    assert (deleted.body["status"], deleted.body["details"]["kind"]) == ("Success", "configmaps")
    assert (await call("GET", f"{MAPS}/x")).code == 404


async def test_a_name_is_generated(call: Call) -> None:
    names = {(await call("POST", MAPS, config_map("", generateName="x-"))).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) == 7 and name.startswith("x-") for name in names)


async def test_a_missing_and_an_ending_namespace(call: Call, lab: HollowLab) -> None:
    missing = await call("POST", MAPS.replace("default", "nope"), config_map("x"))
    assert (missing.code, missing.body["message"]) == (404, 'namespaces "nope" not found')
    await call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    held = config_map("held", finalizers=["example.com/held"])
    await call("POST", MAPS.replace("default", "shop"), held)
    await call("DELETE", "/api/v1/namespaces/shop")
    assert (await call("GET", "/api/v1/namespaces/shop")).body["status"]["phase"] == "Terminating"
    late = await call("POST", MAPS.replace("default", "shop"), config_map("x"))
    say = 'configmaps "x" is forbidden: unable to create new content in namespace shop because it is being terminated'
    assert (late.code, late.body["message"]) == (403, say)
    assert (await call("DELETE", "/api/v1/namespaces/default")).code == 403
    await call("PATCH", f"{MAPS.replace('default', 'shop')}/held", {"metadata": {"finalizers": None}}, MERGE)
    await until(lambda: lab.store.find("namespaces", "", "shop") is None, "the namespace is gone")


async def test_a_list_in_chunks(call: Call, lab: HollowLab) -> None:
    for name in "abcd":
        await call("POST", MAPS, config_map(name, labels={"of": "mine"}))
    mine = f"{MAPS}?labelSelector=of%3Dmine&limit=3"
    first = (await call("GET", mine)).body
    assert first["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b", "c"]
    assert "kind" not in first["items"][0]
    assert first["metadata"]["remainingItemCount"] == 1
    rest = (await call("GET", f"{mine}&continue={first['metadata']['continue']}")).body
    assert [item["metadata"]["name"] for item in rest["items"]] == ["d"]
    assert "continue" not in rest["metadata"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    await call("POST", MAPS, config_map("e"))
    await call("POST", "/lab/compact")
    gone = await call("GET", f"{mine}&continue={first['metadata']['continue']}")
    assert (gone.code, gone.body["reason"]) == (410, "Expired")


async def test_a_dry_run_says_what_would_be_and_changes_nothing(call: Call, lab: HollowLab) -> None:
    await call("POST", MAPS, config_map("x"))
    before = lab.store.version
    assert (await call("POST", f"{MAPS}?dryRun=All", config_map("y"))).code == 201
    assert (await call("POST", f"{MAPS}?dryRun=All", config_map("x"))).code == 409
    patched = await call("PATCH", f"{MAPS}/x?dryRun=All", {"data": {"a": "z"}}, MERGE)
    assert patched.body["data"] == {"a": "z"}
    assert (await call("DELETE", f"{MAPS}/x", {"dryRun": ["All"]})).code == 200
    assert (await call("POST", f"{SERVICES}?dryRun=All", service())).body["spec"]["clusterIP"].startswith("127.")
    assert lab.store.version == before


async def test_deletion_preconditions(call: Call) -> None:
    uid = (await call("POST", MAPS, config_map("x"))).body["metadata"]["uid"]
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        refused = await call("DELETE", f"{MAPS}/x", {"preconditions": wrong})
        assert (refused.code, "in the precondition" in refused.body["message"]) == (409, True)
    bad_options: list[Any] = [
        [],
        {"propagationPolicy": "Foo"},
        {"propagationPolicy": ["x"]},
        {"gracePeriodSeconds": "x"},
        {"preconditions": []},
        {"dryRun": 5},
    ]
    for bad in bad_options:
        assert (await call("DELETE", f"{MAPS}/x", bad)).code in (400, 422)
    assert (await call("DELETE", f"{MAPS}/x", {"preconditions": {"uid": uid}})).code == 200


async def test_a_collection_is_deleted_by_selector(call: Call, lab: HollowLab) -> None:
    for name in "ab":
        await call("POST", MAPS, config_map(name, labels={"name": name}))
    answer = await call("DELETE", f"{MAPS}?labelSelector=name%3Da")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a"]
    assert lab.store.find("configmaps", "default", "b")


async def test_status_and_spec_are_written_apart(call: Call) -> None:
    await call("POST", DEPLOYMENTS, deployment() | {"status": {"replicas": 7}})
    await call(
        "PATCH", f"{DEPLOYMENTS}/web/status", {"spec": {"replicas": 9}, "status": {"observedGeneration": 77}}, MERGE
    )
    await call("PATCH", f"{DEPLOYMENTS}/web", {"status": {"observedGeneration": 88}}, MERGE)
    found = (await call("GET", f"{DEPLOYMENTS}/web/status")).body
    assert found["spec"]["replicas"] == 1
    assert found["status"]["observedGeneration"] != 88
    incomplete = {"status": {"conditions": [{"type": "Available"}]}}
    assert (await call("PATCH", f"{DEPLOYMENTS}/web/status", incomplete, MERGE)).code == 422


async def test_scale(call: Call, lab: HollowLab) -> None:
    await call("POST", DEPLOYMENTS, deployment())
    await settled(lab.store)
    scale = (await call("GET", f"{DEPLOYMENTS}/web/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "a=b")
    scaled = await call("PUT", f"{DEPLOYMENTS}/web/scale", scale | {"spec": {"replicas": 3}})
    assert scaled.body["spec"] == {"replicas": 3}
    assert (await call("GET", f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 3
    stale = await call("PUT", f"{DEPLOYMENTS}/web/scale", scale | {"spec": {"replicas": 4}})
    assert stale.code == 409
    assert (await call("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, MERGE)).code == 422


async def test_a_service_gets_an_address_and_gives_it_back(call: Call, lab: HollowLab) -> None:
    address = (await call("POST", SERVICES, service())).body["spec"]["clusterIP"]
    assert address.startswith("127.")
    kept = await call("PUT", f"{SERVICES}/web", service(selector={"a": "b"}))
    assert (kept.code, kept.body["spec"]["clusterIP"]) == (200, address)
    moved = await call("PATCH", f"{SERVICES}/web", {"spec": {"clusterIP": "127.0.0.1"}}, MERGE)
    assert "may not change once set" in moved.body["message"]
    headless = await call("POST", SERVICES, service("headless", clusterIP="None"))
    assert headless.body["spec"]["clusterIPs"] == ["None"]
    alias = {"spec": {"type": "ExternalName", "externalName": "example.com", "ports": None}}
    assert "clusterIP" not in (await call("PATCH", f"{SERVICES}/web", alias, MERGE)).body["spec"]
    # Every address is given out and comes back: there are fewer than 300 of them.
    for number in range(300):
        assert (await call("POST", SERVICES, service(f"s{number}"))).code == 201
        await call("DELETE", f"{SERVICES}/s{number}")


async def test_the_service_kubernetes_comes_back_with_its_address(call: Call, lab: HollowLab) -> None:
    before = lab.store.get("services", "default", "kubernetes")
    for path in (f"{SERVICES}/kubernetes", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"):
        assert (await call("DELETE", path)).code == 200
    await until(lambda: lab.store.find("endpointslices", "default", "kubernetes"), "the slice is back")
    assert lab.store.get("services", "default", "kubernetes")["spec"] == before["spec"]
    addresses = {(await call("POST", SERVICES, service(f"s{i}"))).body["spec"]["clusterIP"] for i in range(200)}
    assert before["spec"]["clusterIP"] not in addresses


async def test_an_eviction_deletes_the_pod(call: Call, lab: HollowLab) -> None:
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "greeter:dev"}]}}
    await call("POST", PODS, pod)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x"}}
    assert (await call("POST", f"{PODS}/x/eviction", eviction)).code == 201
    await until(lambda: lab.store.find("pods", "default", "x") is None, "the pod is gone")
