"""ReplicaSets: as many pods as asked for, made, adopted and let go."""

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, pod, workload
from lab.conformance.states import names, ready


async def start(api: Api, replicas: int) -> list[Object]:
    """A ReplicaSet `web` whose pods are ready."""
    await api.create("replicasets", workload("ReplicaSet", "web", container(SLEEP), replicas=replicas))
    return await settled(api, replicas)


async def settled(api: Api, replicas: int) -> list[Object]:
    """Wait until it has as many pods, all ready."""

    def are(found: list[Object]) -> list[Object]:
        return found if len(found) == replicas and all(map(ready, found)) else []

    return await api.until("pods", are, f"{replicas} pods are ready", labelSelector="app=web")


async def test_a_pod_that_is_deleted_is_replaced(api: Api) -> None:
    first, second = names(await start(api, 2))
    async with api.recording("pods") as recording:
        await api.delete("pods", first)
        await recording.until(lambda ps: first not in names(ps) and len(ps) == 2 and all(map(ready, ps)), "replaced")
    assert second in names(recording.objects)
    added = next(i for i, event in enumerate(recording.events) if event["type"] == "ADDED")
    gone = next(i for i, event in enumerate(recording.events) if event["type"] == "DELETED")
    assert added < gone  # it doesn't wait for the old one's end


async def test_a_pod_with_its_labels_is_adopted_and_counted(api: Api) -> None:
    orphan = await api.create("pods", pod("orphan", container(SLEEP), labels={"app": "web"}))
    await api.until_one("pods", "orphan", ready, "is ready")
    pods = await start(api, 2)
    assert "orphan" in names(pods)
    adopted = await api.get("pods", "orphan")
    assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["name"] == "web"


async def test_a_pod_whose_labels_change_is_let_go_and_replaced(api: Api) -> None:
    (only,) = names(await start(api, 1))
    await api.patch("pods", only, {"metadata": {"labels": {"app": "other"}}})
    await settled(api, 1)
    released = await api.until_one("pods", only, lambda p: "ownerReferences" not in p["metadata"], "is let go")
    assert "deletionTimestamp" not in released["metadata"]


async def test_its_status_counts_what_there_is(api: Api) -> None:
    await start(api, 2)
    counts = {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    wanted = counts | {"observedGeneration": 1}
    await api.until_one("replicasets", "web", lambda rs: wanted.items() <= rs["status"].items(), str(wanted))
    await api.patch("replicasets", "web", {"spec": {"replicas": 0}})
    await api.until_one(
        "replicasets", "web", lambda rs: rs["status"] == {"replicas": 0, "observedGeneration": 2}, "has none"
    )
