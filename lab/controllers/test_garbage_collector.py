"""The garbage collector: background, foreground and orphan."""

from lab.apimachinery.store import Object, Store
from lab.controllers import garbage_collector
from lab.testing import running, settled, until


def create(
    store: Store, plural: str, kind: str, name: str, *owners: Object, finalizers: tuple[str, ...] = ()
) -> Object:
    version = "apps/v1" if plural != "pods" else "v1"
    references = [
        {k: owner[k] for k in ("apiVersion", "kind")}
        | {k: owner["metadata"][k] for k in ("name", "uid")}
        | {"controller": True, "blockOwnerDeletion": True}
        for owner in owners
    ]
    meta = {"namespace": "shop", "name": name, "ownerReferences": references, "finalizers": list(finalizers)}
    return store.create(plural, {"apiVersion": version, "kind": kind, "metadata": meta, "spec": {"nodeName": "lab"}})


def family(store: Store, *finalizers: str) -> None:
    """A Deployment, its ReplicaSet and its pod."""
    deployment = create(store, "deployments", "Deployment", "web", finalizers=finalizers)
    rs = create(store, "replicasets", "ReplicaSet", "web-1", deployment)
    create(store, "pods", "Pod", "web-1-a", rs)


def is_ending(store: Store) -> bool:
    return "deletionTimestamp" in store.get("pods", "shop", "web-1-a")["metadata"]


async def test_what_has_a_living_owner_or_none_or_one_of_a_kind_that_the_lab_has_not_stays(store: Store) -> None:
    family(store)
    create(store, "pods", "Pod", "alone")
    stranger = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x", "uid": "u"}}
    create(store, "pods", "Pod", "strange", stranger)
    create(store, "deployments", "Deployment", "other")
    async with running(garbage_collector.run(store)):
        await settled(store)
        store.delete("deployments", "shop", "other")
        await settled(store)
    assert [len(store.list(plural)) for plural in ("deployments", "replicasets", "pods")] == [1, 1, 3]
    assert not [pod for pod in store.list("pods") if "deletionTimestamp" in pod["metadata"]]


async def test_with_two_owners_it_stays_until_both_are_gone(store: Store) -> None:
    one = create(store, "replicasets", "ReplicaSet", "one")
    two = create(store, "replicasets", "ReplicaSet", "two")
    create(store, "pods", "Pod", "web-1-a", one, two)
    async with running(garbage_collector.run(store)):
        store.delete("replicasets", "shop", "one")
        await settled(store)
        assert not is_ending(store)
        store.delete("replicasets", "shop", "two")
        await until(lambda: is_ending(store), "the pod is being deleted")
