"""Deployments: rollouts step by step; the test plays the kubelet."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.controllers import deployments, replicasets, revisions
from lab.objects.defaults import set_defaults
from lab.testing import messages, pods, running, set_ready, settled, until


@contextlib.asynccontextmanager
async def controllers(store: Store) -> AsyncIterator[None]:
    async with running(deployments.run(store), replicasets.run(store)):
        yield


def create(store: Store, replicas: int, image: str = "web:1", **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec,
    }
    set_defaults("deployments", deployment)
    return store.create("deployments", deployment)


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def set_image(store: Store, image: str) -> None:
    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image

    store.mutate("deployments", "shop", "web", change)


def set_spec(store: Store, **fields: Any) -> None:
    store.mutate("deployments", "shop", "web", lambda deployment: deployment["spec"].update(fields))


def status(store: Store) -> Object:
    found: Object = store.get("deployments", "shop", "web").get("status", {})
    return found


def condition(store: Store, kind: str) -> tuple[str, str, str]:
    for found in status(store).get("conditions", []):
        if found["type"] == kind:
            return found["status"], found["reason"], found["message"]
    return "", "", ""


def sizes(store: Store) -> dict[str, int]:
    """The sizes of the ReplicaSets by the image of their template."""
    sets = store.list("replicasets", "shop")
    return {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"] for rs in sets}


def name_of(store: Store, image: str) -> str:
    sets = store.list("replicasets", "shop")
    (name,) = [
        rs["metadata"]["name"] for rs in sets if rs["spec"]["template"]["spec"]["containers"][0]["image"] == image
    ]
    return str(name)


def alive(store: Store) -> list[Object]:
    return [pod for pod in pods(store) if "deletionTimestamp" not in pod["metadata"]]


async def make_ready(store: Store) -> None:
    """Report every living pod as ready, those that come of it too, until the rollout rests."""
    while waiting := [pod for pod in alive(store) if "status" not in pod or "conditions" not in pod["status"]]:
        for pod in waiting:
            set_ready(store, pod)
        await settled(store)


async def test_a_new_deployment_makes_a_replica_set_and_becomes_available(store: Store) -> None:
    create(store, 2)
    async with controllers(store):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        await settled(store)
        (rs,) = store.list("replicasets", "shop")
        digest = rs["metadata"]["labels"]["pod-template-hash"]
        assert rs["metadata"]["name"] == f"web-{digest}"
        assert rs["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": digest}}
        assert rs["metadata"]["annotations"] == {
            "deployment.kubernetes.io/desired-replicas": "2",
            "deployment.kubernetes.io/max-replicas": "3",
            "deployment.kubernetes.io/revision": "1",
        }
        assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods(store)} == {digest}
        waiting = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        assert condition(store, "Available") == waiting
        await make_ready(store)
        done = ("True", "NewReplicaSetAvailable", f'ReplicaSet "web-{digest}" has successfully progressed.')
        assert condition(store, "Progressing") == done
        available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        assert condition(store, "Available") == available
    counts = {k: v for k, v in status(store).items() if k != "conditions"}
    ready = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    assert counts == ready | {"observedGeneration": 1}
    assert store.get("deployments", "shop", "web")["metadata"]["annotations"][revisions.REVISION] == "1"
    assert messages(store, "ScalingReplicaSet") == [f"Scaled up replica set web-{digest} from 0 to 2"]


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"), [(1, 0, 5, 4), (0, 1, 4, 3), ("25%", "25%", 5, 3), (3, 2, 7, 2)]
)
async def test_a_rolling_update_keeps_to_its_limits(
    store: Store, surge: int | str, unavailable: int | str, most: int, least: int
) -> None:
    create(store, 4, strategy=rolling(surge, unavailable))
    async with controllers(store):
        await until(lambda: len(pods(store)) == 4, "4 pods")
        await make_ready(store)
        set_image(store, "web:2")
        await settled(store)
        while starting := [pod for pod in alive(store) if "conditions" not in pod["status"]]:
            assert len(alive(store)) <= most
            assert len(alive(store)) - len(starting) >= least
            set_ready(store, starting[0])
            await settled(store)
        assert sizes(store) == {"web:1": 0, "web:2": 4}
        assert condition(store, "Progressing")[1] == "NewReplicaSetAvailable"


async def test_a_rolling_update_says_each_step(store: Store) -> None:
    create(store, 2, strategy=rolling(1, 0))
    async with controllers(store):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        await make_ready(store)
        set_image(store, "web:2")
        await until(lambda: len(sizes(store)) == 2, "the new ReplicaSet")
        await settled(store)
        assert status(store)["updatedReplicas"] == 1
        assert status(store)["unavailableReplicas"] == 1
        assert condition(store, "Progressing")[:2] == ("True", "ReplicaSetUpdated")
        await make_ready(store)
    old, new = name_of(store, "web:1"), name_of(store, "web:2")
    assert messages(store, "ScalingReplicaSet") == [
        f"Scaled up replica set {old} from 0 to 2",
        f"Scaled up replica set {new} from 0 to 1",
        f"Scaled down replica set {old} from 2 to 1",
        f"Scaled up replica set {new} from 1 to 2",
        f"Scaled down replica set {old} from 1 to 0",
    ]


async def test_a_new_pod_that_never_gets_ready_stops_the_rollout(store: Store) -> None:
    create(store, 3, strategy=rolling(1, 0), progressDeadlineSeconds=1)
    async with controllers(store):
        await until(lambda: len(pods(store)) == 3, "3 pods")
        await make_ready(store)
        set_image(store, "broken")
        name = await until(lambda: len(sizes(store)) == 2 and name_of(store, "broken"), "the new ReplicaSet")
        failed = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
        await until(lambda: condition(store, "Progressing") == failed, "the deadline")
        assert sizes(store) == {"web:1": 3, "broken": 1}
        set_image(store, "web:1")  # rollout undo
        await until(lambda: sizes(store) == {"web:1": 3, "broken": 0}, "the way back")
        await until(lambda: condition(store, "Progressing")[1] == "NewReplicaSetAvailable", "success")


async def test_a_pod_counts_only_after_min_ready_seconds(store: Store) -> None:
    create(store, 1, strategy=rolling(1, 0), minReadySeconds=2)
    async with controllers(store):
        (pod,) = await until(lambda: pods(store), "a pod")
        set_ready(store, pod, since="2026-01-01T00:00:00Z")
        await until(lambda: status(store).get("availableReplicas") == 1, "available")
        set_image(store, "web:2")
        await until(lambda: len(pods(store)) == 2, "the new pod")
        set_ready(store, pods(store)[1])
        await until(lambda: status(store).get("readyReplicas") == 2, "ready")
        await settled(store)
        assert sizes(store) == {"web:1": 1, "web:2": 1}
        await until(lambda: sizes(store) == {"web:1": 0, "web:2": 1}, "the step after minReadySeconds")


async def test_going_back_reuses_the_replica_set_and_gives_it_the_next_revision(store: Store) -> None:
    create(store, 1)
    async with controllers(store):
        await until(lambda: pods(store), "a pod")
        await make_ready(store)
        first = name_of(store, "web:1")
        for image in ("web:2", "web:1"):
            set_image(store, image)
            await settled(store)
            await make_ready(store)
        assert name_of(store, "web:1") == first
        annotations = store.get("replicasets", "shop", first)["metadata"]["annotations"]
        assert annotations[revisions.REVISION] == "3"
        assert annotations[revisions.HISTORY] == "1"
        assert store.get("deployments", "shop", "web")["metadata"]["annotations"][revisions.REVISION] == "3"
        assert sizes(store) == {"web:1": 1, "web:2": 0}


async def test_a_template_with_empty_fields_added_is_the_same_revision(store: Store) -> None:
    create(store, 1)
    async with controllers(store):
        await until(lambda: pods(store), "a pod")
        template = store.get("deployments", "shop", "web")["spec"]["template"]
        template["metadata"]["creationTimestamp"] = None  # as `kubectl rollout undo` sends it
        set_spec(store, template=template)
        await until(lambda: status(store)["observedGeneration"] == 2, "the new generation")
        assert len(store.list("replicasets")) == 1


async def test_recreate_waits_until_the_old_pods_are_gone(store: Store) -> None:
    create(store, 2, strategy={"type": "Recreate"})
    async with controllers(store):
        await until(lambda: len(pods(store)) == 2, "2 pods")
        for pod in pods(store):
            store.mutate("pods", "shop", pod["metadata"]["name"], lambda p: p["spec"].update(nodeName="lab"))
            set_ready(store, pod)
        await settled(store)
        set_image(store, "web:2")
        await until(lambda: alive(store) == [], "the old pods are being deleted")
        await settled(store)
        assert sizes(store) == {"web:1": 0}
        last, other = pods(store)
        store.delete("pods", "shop", other["metadata"]["name"], grace=0)
        await settled(store)
        assert sizes(store) == {"web:1": 0}
        store.delete("pods", "shop", last["metadata"]["name"], grace=0)
        await until(lambda: sizes(store) == {"web:1": 0, "web:2": 2}, "the new pods")


async def test_a_paused_deployment_scales_and_does_not_roll_out_until_it_is_resumed(store: Store) -> None:
    create(store, 1)
    async with controllers(store):
        await until(lambda: pods(store), "a pod")
        await make_ready(store)
        set_spec(store, paused=True)
        set_image(store, "web:2")
        set_spec(store, replicas=3)
        await until(lambda: sizes(store) == {"web:1": 3}, "scaled")
        await settled(store)
        assert sizes(store) == {"web:1": 3}
        assert condition(store, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
        set_spec(store, paused=False)
        await until(lambda: "web:2" in sizes(store), "the rollout goes on")
        assert condition(store, "Progressing")[0] != "False"


async def test_scaling_amid_a_rollout_scales_both_replica_sets(store: Store) -> None:
    create(store, 4, strategy=rolling(0, 2))
    async with controllers(store):
        await until(lambda: len(pods(store)) == 4, "4 pods")
        await make_ready(store)
        set_image(store, "web:2")
        await until(lambda: sizes(store) == {"web:1": 2, "web:2": 2}, "half way")
        set_spec(store, replicas=8)
        await until(lambda: sizes(store) == {"web:1": 4, "web:2": 4}, "twice the size, half way")


async def test_old_revisions_over_the_limit_are_deleted(store: Store) -> None:
    create(store, 1, revisionHistoryLimit=1)
    async with controllers(store):
        for image in ("web:1", "web:2", "web:3"):
            set_image(store, image)
            await until(lambda image=image: image in sizes(store), "the ReplicaSet")  # type: ignore[misc]
            await settled(store)
            await make_ready(store)
        await until(lambda: sizes(store) == {"web:2": 0, "web:3": 1}, "the oldest is gone")


async def test_an_orphaned_replica_set_of_the_same_template_is_adopted(store: Store) -> None:
    create(store, 1)
    async with controllers(store):
        await until(lambda: pods(store), "a pod")
        await settled(store)
        (rs,) = store.list("replicasets")
        store.delete("deployments", "shop", "web")
        store.mutate("replicasets", "shop", rs["metadata"]["name"], lambda rs: rs["metadata"].pop("ownerReferences"))
        owner = create(store, 1)

        def adopted() -> bool:
            references = store.get("replicasets", "shop", rs["metadata"]["name"])["metadata"].get("ownerReferences")
            return bool(references) and references[0]["uid"] == owner["metadata"]["uid"]

        await until(adopted, "adopted")
        await settled(store)
        assert len(pods(store)) == 1


async def test_a_name_that_is_taken_leads_to_another_hash(store: Store) -> None:
    deployment = create(store, 1)
    name = f"web-{revisions.template_hash(deployment['spec']['template'], 0)}"
    stranger = {"labels": {"other": "app"}}
    template = {"metadata": stranger, "spec": {"containers": []}}
    spec = {"replicas": 0, "selector": {"matchLabels": stranger["labels"]}, "template": template}
    meta = {"namespace": "shop", "name": name} | stranger
    store.create("replicasets", {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec})
    async with controllers(store):
        await until(lambda: pods(store), "a pod")
        assert status(store)["collisionCount"] == 1
        assert not pods(store)[0]["metadata"]["name"].startswith(name)
