"""Owners and dependents: who goes with whom."""

from lab.conformance.api import Api, Object, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment
from lab.conformance.states import names, rolled_out


async def family(api: Api, *, blocks: bool = False, finalizers: list[str] | None = None) -> Object:
    """A ConfigMap that owns another; return the owner."""
    owner = await api.create("configmaps", configmap("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    meta = {"name": "dependent", "ownerReferences": [reference | {"blockOwnerDeletion": blocks}]}
    await api.create("configmaps", configmap("dependent", metadata=meta | {"finalizers": finalizers or []}))
    return owner


async def test_dependents_go_after_their_owner(api: Api) -> None:
    await family(api)
    await api.delete("configmaps", "owner")
    await api.until_gone("configmaps", "dependent")


async def test_orphans_stay_and_forget_their_owner(api: Api) -> None:
    await family(api)
    await api.delete("configmaps", "owner", propagationPolicy="Orphan")
    await api.until_gone("configmaps", "owner")
    assert "ownerReferences" not in (await api.get("configmaps", "dependent"))["metadata"]


async def test_an_owner_deleted_in_the_foreground_waits_for_dependents_that_block_it(api: Api) -> None:
    await family(api, blocks=True, finalizers=["example.com/hold"])
    await api.delete("configmaps", "owner", propagationPolicy="Foreground")
    await api.until_one("configmaps", "dependent", lambda c: "deletionTimestamp" in c["metadata"], "is told to go")
    assert (await api.get("configmaps", "owner"))["metadata"]["finalizers"] == ["foregroundDeletion"]
    async with api.recording("configmaps") as recording:
        await api.patch("configmaps", "dependent", {"metadata": {"finalizers": None}})
        await recording.until(lambda left: names(left) == ["kube-root-ca.crt"], "both are gone")
    assert [e["object"]["metadata"]["name"] for e in recording.events if e["type"] == "DELETED"] == [
        "dependent",
        "owner",
    ]


async def test_a_dependent_whose_owner_never_was_is_collected(api: Api) -> None:
    uid = "00000000-0000-4000-8000-000000000000"
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": uid}
    await api.create("configmaps", configmap("lost", metadata={"name": "lost", "ownerReferences": [reference]}))
    await api.until_gone("configmaps", "lost")


async def test_a_deployment_takes_its_replicasets_and_pods_along(api: Api) -> None:
    await api.create("deployments", deployment("web", container(SLEEP), replicas=2))
    await api.until_one("deployments", "web", rolled_out, "is rolled out")
    await api.delete("deployments", "web", propagationPolicy="Background")
    with refused(404, "NotFound", 'deployments.apps "web" not found'):
        await api.get("deployments", "web")
    await api.until("replicasets", lambda found: not found, "its ReplicaSets are gone")
    await api.until("pods", lambda found: not found, "its pods are gone")


async def test_a_deployment_can_leave_its_pods_behind(api: Api) -> None:
    await api.create("deployments", deployment("web", container(SLEEP)))
    await api.until_one("deployments", "web", rolled_out, "is rolled out")
    for plural in ("deployments", "replicasets"):
        (owner,) = (await api.list(plural))["items"]
        await api.delete(plural, owner["metadata"]["name"], propagationPolicy="Orphan")
        await api.until_gone(plural, owner["metadata"]["name"])
    (pod,) = (await api.list("pods"))["items"]
    assert "ownerReferences" not in pod["metadata"]
    assert "deletionTimestamp" not in pod["metadata"]
