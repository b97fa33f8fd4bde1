"""The garbage collector: whose owners count, and how many."""

from lab.apimachinery.store import Object, Store
from lab.controllers import garbage_collector
from lab.testing import create, running, settled, until


def owned(store: Store, plural: str, name: str, *owners: Object) -> Object:
    references = [
        {k: owner[k] for k in ("apiVersion", "kind")}
        | {k: owner["metadata"][k] for k in ("name", "uid")}
        | {"controller": True, "blockOwnerDeletion": True}
        for owner in owners
    ]
    spec: Object = {"nodeName": "lab", "containers": []} if plural == "pods" else {"template": {}}
    return create(store, plural, name, {"ownerReferences": references}, spec=spec)


def family(store: Store) -> None:
    """A Deployment, its ReplicaSet and its pod."""
    deployment = owned(store, "deployments", "web")
    rs = owned(store, "replicasets", "web-1", deployment)
    owned(store, "pods", "web-1-a", rs)


def is_ending(store: Store) -> bool:
    return "deletionTimestamp" in store.get("pods", "shop", "web-1-a")["metadata"]


async def test_what_has_a_living_owner_or_none_or_one_of_a_kind_that_the_lab_has_not_stays(store: Store) -> None:
    family(store)
    owned(store, "pods", "alone")
    stranger = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x", "uid": "u"}}
    owned(store, "pods", "strange", stranger)
    owned(store, "deployments", "other")
    async with running(garbage_collector.run(store)):
        await settled(store)
        store.delete("deployments", "shop", "other")
        await settled(store)
    assert [len(store.list(plural)) for plural in ("deployments", "replicasets", "pods")] == [1, 1, 3]
    assert not [pod for pod in store.list("pods") if "deletionTimestamp" in pod["metadata"]]


async def test_with_two_owners_it_stays_until_both_are_gone(store: Store) -> None:
    one = owned(store, "replicasets", "one")
    two = owned(store, "replicasets", "two")
    owned(store, "pods", "web-1-a", one, two)
    async with running(garbage_collector.run(store)):
        store.delete("replicasets", "shop", "one")
        await settled(store)
        assert not is_ending(store)
        store.delete("replicasets", "shop", "two")
        await until(lambda: is_ending(store), "the pod is being deleted")
