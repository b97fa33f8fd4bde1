"""ReplicaSets: as many pods as asked for; the test plays the kubelet."""

import asyncio
from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.controllers import replicasets
from lab.testing import messages, pods, running, set_ready, set_status, settled, until


def replica_set(replicas: int, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec,
    }


def status(store: Store) -> Object:
    found: Object = store.get("replicasets", "shop", "web").get("status", {})
    return found


def scale(store: Store, replicas: int) -> None:
    store.mutate("replicasets", "shop", "web", lambda rs: rs["spec"].update(replicas=replicas))


async def test_pods_are_made_from_the_template_and_owned(store: Store) -> None:
    owner = store.create("replicasets", replica_set(2))
    async with running(replicasets.run(store)):
        await until(lambda: status(store).get("replicas") == 2, "2 replicas in the status")
    for pod in pods(store):
        assert pod["metadata"]["name"].startswith("web-")
        assert pod["metadata"]["labels"] == {"app": "web"}
        (reference,) = pod["metadata"]["ownerReferences"]
        assert reference == {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web",
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    assert messages(store, "SuccessfulCreate") == [f"Created pod: {pod['metadata']['name']}" for pod in pods(store)]


async def test_a_deleted_pod_and_a_failed_one_are_replaced(store: Store) -> None:
    store.create("replicasets", replica_set(2))
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        first, second = pods(store)
        store.delete("pods", "shop", first["metadata"]["name"])
        set_status(store, second, phase="Failed")
        await until(lambda: len(pods(store)) == 3, "2 new pods beside the failed one")
        await settled(store)
    assert len(pods(store)) == 3


async def test_ready_pods_count_as_available_once_they_were_ready_for_min_ready_seconds(store: Store) -> None:
    store.create("replicasets", replica_set(1, minReadySeconds=2))
    async with running(replicasets.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        set_ready(store, pod)
        await until(lambda: status(store).get("readyReplicas") == 1, "ready")
        assert "availableReplicas" not in status(store)
        await until(lambda: status(store).get("availableReplicas") == 1, "available")


async def test_the_status_counts_and_names_the_generation_it_has_seen(store: Store) -> None:
    store.create("replicasets", replica_set(2))
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        set_ready(store, pods(store)[0])
        await until(lambda: status(store).get("readyReplicas") == 1, "ready")
        expected = {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 1}
        assert status(store) == expected | {"observedGeneration": 1}
        scale(store, 1)
        await until(lambda: status(store)["observedGeneration"] == 2, "the new generation")


async def test_an_orphan_that_fits_is_adopted_and_one_that_no_longer_fits_released(store: Store) -> None:
    meta = {"namespace": "shop", "name": "stray", "labels": {"app": "web"}}
    store.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}})
    store.create("replicasets", replica_set(1))
    async with running(replicasets.run(store)):
        await until(lambda: store.get("pods", "shop", "stray")["metadata"].get("ownerReferences"), "adopted")
        await settled(store)
        assert len(pods(store)) == 1
        store.mutate("pods", "shop", "stray", lambda pod: pod["metadata"].update(labels={"app": "debug"}))
        await until(lambda: len(pods(store)) == 2, "a replacement")
    assert "ownerReferences" not in store.get("pods", "shop", "stray")["metadata"]


async def test_the_pod_of_another_controller_is_left_alone(store: Store) -> None:
    other = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    meta = {"namespace": "shop", "name": "job", "labels": {"app": "web"}, "ownerReferences": [other]}
    store.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}})
    store.create("replicasets", replica_set(1))
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 2, "a pod of its own")
    assert store.get("pods", "shop", "job")["metadata"]["ownerReferences"] == [other]


async def test_a_replica_set_that_is_being_deleted_makes_no_pods(store: Store) -> None:
    store.create(
        "replicasets", replica_set(1) | {"metadata": {"namespace": "shop", "name": "web", "finalizers": ["x"]}}
    )
    store.delete("replicasets", "shop", "web")
    async with running(replicasets.run(store)):
        await until(lambda: status(store), "a status")
    assert pods(store) == []


async def test_no_pod_is_made_in_a_namespace_that_is_being_deleted(store: Store) -> None:
    store.mutate("namespaces", "", "shop", lambda n: n["metadata"].update(finalizers=["x"]))
    store.delete("namespaces", "", "shop")
    store.create("replicasets", replica_set(1))
    async with running(replicasets.run(store)):
        await until(lambda: status(store), "a status")
    assert pods(store) == []


OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def pod(
    name: str, *, ready: str = "", phase: str = "Running", cost: str = "", restarts: int = 0, born: str = OLD
) -> Object:
    meta: Object = {"name": name, "creationTimestamp": born}
    meta |= {"annotations": {replicasets.DELETION_COST: cost}} if cost else {}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    states = [{"restartCount": restarts}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": states}
    return {"metadata": meta, "spec": {"nodeName": "lab"}, "status": status}


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (pod("goes") | {"spec": {}}, pod("a")),
        (pod("goes", phase="Pending", ready=OLD), pod("a")),
        (pod("goes"), pod("a", ready=OLD, cost="-5")),
        (pod("goes", ready=OLD, cost="-1"), pod("a", ready=NEW)),
        (pod("goes", ready=NEW), pod("a", ready=OLD, restarts=3)),
        (pod("goes", ready=OLD, restarts=1), pod("a", ready=OLD, born=NEW)),
        (pod("goes", ready=OLD, born=NEW), pod("a", ready=OLD)),
    ],
    ids=["unscheduled", "pending", "not ready", "cheap", "ready for less time", "restarted more", "younger"],
)
def test_the_first_to_go_is_the(goes: Object, stays: Object) -> None:
    assert replicasets.victims([stays, goes], 1) == replicasets.victims([goes, stays], 1) == [goes]


async def test_a_scale_down_deletes_the_least_useful_pod_gracefully(store: Store) -> None:
    store.create("replicasets", replica_set(3))
    async with running(replicasets.run(store)):
        await until(lambda: len(pods(store)) == 3, "3 pods")
        for each in pods(store):
            store.mutate("pods", "shop", each["metadata"]["name"], lambda p: p["spec"].update(nodeName="lab"))
        waiting, *ready = pods(store)
        for each in ready:
            set_ready(store, each)
        await asyncio.sleep(0)
        scale(store, 2)
        await until(lambda: status(store).get("replicas") == 2, "2 replicas")
    deleted = [p["metadata"]["name"] for p in pods(store) if "deletionTimestamp" in p["metadata"]]
    assert deleted == [waiting["metadata"]["name"]]
    assert messages(store, "SuccessfulDelete") == [f"Deleted pod: {deleted[0]}"]


async def test_a_pod_that_is_refused_is_told_in_the_status_and_tried_again(store: Store) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"serviceAccountName": "late", "containers": []}}
    store.create("replicasets", replica_set(1, template=template))
    async with running(replicasets.run(store)):
        (condition,) = await until(lambda: status(store).get("conditions", []), "a condition")
        assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
        assert 'serviceaccount "late" not found' in condition["message"]
        assert messages(store, "FailedCreate")
        meta = {"namespace": "shop", "name": "late"}
        store.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        await until(lambda: pods(store), "a pod")
        await until(lambda: "conditions" not in status(store), "no condition")
