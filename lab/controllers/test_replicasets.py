"""ReplicaSets: as many pods as asked for; the test plays the kubelet."""

from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.controllers import replicasets
from lab.testing import create, messages, pods, running, set_status, settled, until


def create_set(store: Store, replicas: int, **spec: Any) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    own = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    create(store, "replicasets", "web", spec=own | spec)


def status(store: Store) -> Object:
    found: Object = store.get("replicasets", "shop", "web").get("status", {})
    return found


async def test_a_deleted_pod_and_a_failed_one_are_replaced(store: Store) -> None:
    create_set(store, 2)
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        first, second = pods(store)
        store.delete("pods", "shop", first["metadata"]["name"])
        set_status(store, second, phase="Failed")
        await until(lambda: len(pods(store)) == 3, "2 new pods beside the failed one")
        await settled(store)
    assert len(pods(store)) == 3


async def test_the_pod_of_another_controller_is_left_alone(store: Store) -> None:
    other = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    create(store, "pods", "job", {"labels": {"app": "web"}, "ownerReferences": [other]}, spec={"containers": []})
    create_set(store, 1)
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 2, "a pod of its own")
    assert store.get("pods", "shop", "job")["metadata"]["ownerReferences"] == [other]


async def test_no_pod_is_made_in_a_namespace_that_is_being_deleted(store: Store) -> None:
    store.mutate("namespaces", "", "shop", lambda n: n["metadata"].update(finalizers=["x"]))
    store.delete("namespaces", "", "shop")
    create_set(store, 1)
    async with running(replicasets.run(store)):
        await until(lambda: status(store), "a status")
    assert pods(store) == []


OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def pod(name: str, *, ready: str = "", phase: str = "Running", restarts: int = 0, born: str = OLD) -> Object:
    meta: Object = {"name": name, "creationTimestamp": born}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    states = [{"restartCount": restarts}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": states}
    return {"metadata": meta, "spec": {"nodeName": "lab"}, "status": status}


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (pod("goes") | {"spec": {}}, pod("a")),
        (pod("goes", phase="Pending", ready=OLD), pod("a")),
        (pod("goes"), pod("a", ready=OLD)),
        (pod("goes", ready=NEW), pod("a", ready=OLD, restarts=3)),
        (pod("goes", ready=OLD, restarts=1), pod("a", ready=OLD, born=NEW)),
        (pod("goes", ready=OLD, born=NEW), pod("a", ready=OLD)),
    ],
    ids=["unscheduled", "pending", "not ready", "ready for less time", "restarted more", "younger"],
)
def test_the_first_to_go_is_the(goes: Object, stays: Object) -> None:
    assert replicasets.victims([stays, goes], 1) == replicasets.victims([goes, stays], 1) == [goes]


async def test_a_pod_that_is_refused_is_told_and_tried_again(store: Store) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"serviceAccountName": "late", "containers": []}}
    create_set(store, 1, template=template)
    async with running(replicasets.run(store)):
        message, *_ = await until(lambda: messages(store, "FailedCreate"), "an event")
        assert 'serviceaccount "late" not found' in message
        create(store, "serviceaccounts", "late")
        await until(lambda: pods(store), "a pod")
