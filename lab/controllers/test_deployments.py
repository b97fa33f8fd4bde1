"""Deployments: whose ReplicaSet is whose, and a scaling amid a rollout; the test plays the kubelet."""

from typing import Any

from lab.apimachinery.store import Object, Store
from lab.controllers import deployments, replicasets
from lab.testing import create, pods, running, set_ready, settled, until


def create_deployment(store: Store, replicas: int, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    own = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return create(store, "deployments", "web", spec=own | spec)


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


def sizes(store: Store) -> dict[str, int]:
    """The sizes of the ReplicaSets by the image of their template."""
    sets = store.list("replicasets", "shop")
    return {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"] for rs in sets}


def alive(store: Store) -> list[Object]:
    return [pod for pod in pods(store) if "deletionTimestamp" not in pod["metadata"]]


async def make_ready(store: Store) -> None:
    """Report every living pod as ready, those that come of it too, until the rollout rests."""
    while waiting := [pod for pod in alive(store) if "status" not in pod or "conditions" not in pod["status"]]:
        for pod in waiting:
            set_ready(store, pod)
        await settled(store)


async def test_a_template_with_empty_fields_added_is_the_same_revision(store: Store) -> None:
    create_deployment(store, 1)
    async with running(deployments.run(store), replicasets.run(store)):
        await until(lambda: pods(store), "a pod")
        template = store.get("deployments", "shop", "web")["spec"]["template"]
        template["metadata"]["creationTimestamp"] = None  # as `kubectl rollout undo` sends it
        set_spec(store, template=template)
        await until(lambda: status(store)["observedGeneration"] == 2, "the new generation")
        assert len(store.list("replicasets")) == 1


async def test_an_orphaned_replica_set_of_the_same_template_is_adopted(store: Store) -> None:
    create_deployment(store, 1)
    async with running(deployments.run(store), replicasets.run(store)):
        await until(lambda: pods(store), "a pod")
        await settled(store)
        (rs,) = store.list("replicasets")
        store.delete("deployments", "shop", "web")
        store.mutate("replicasets", "shop", rs["metadata"]["name"], lambda rs: rs["metadata"].pop("ownerReferences"))
        owner = create_deployment(store, 1)

        def adopted() -> bool:
            references = store.get("replicasets", "shop", rs["metadata"]["name"])["metadata"].get("ownerReferences")
            return bool(references) and references[0]["uid"] == owner["metadata"]["uid"]

        await until(adopted, "adopted")
        await settled(store)
        assert len(pods(store)) == 1


async def test_one_that_is_scaled_amid_a_rollout_ends_with_as_many_new_pods(store: Store) -> None:
    create_deployment(store, 4, strategy=rolling(0, 2))
    async with running(deployments.run(store), replicasets.run(store)):
        await until(lambda: len(pods(store)) == 4, "4 pods")
        await make_ready(store)
        set_image(store, "web:2")
        await until(lambda: sizes(store) == {"web:1": 2, "web:2": 2}, "half way")
        set_spec(store, replicas=8)
        await settled(store)
        await make_ready(store)
        assert sizes(store) == {"web:1": 0, "web:2": 8}


async def test_one_that_is_made_anew_does_not_wait_for_the_end_of_the_earlier_ones_replica_set(store: Store) -> None:
    create_deployment(store, 1)
    async with running(deployments.run(store), replicasets.run(store)):
        await until(lambda: pods(store), "a pod")
        store.delete("deployments", "shop", "web")
        create_deployment(store, 1)
        await until(lambda: len(pods(store)) == 2, "a pod of its own")
