"""Optimistic concurrency: who writes what someone else has changed meanwhile is told so."""

import asyncio

from lightkube import ApiError

from lab.conformance.api import Api, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


async def test_an_update_from_an_old_version_is_a_conflict(api: Api) -> None:
    old = await api.create("configmaps", configmap("one", data={"a": "1"}))
    await api.replace("configmaps", old | {"data": {"a": "2"}})
    with refused(409, "Conflict", f'Operation cannot be fulfilled on configmaps "one": {MODIFIED}'):
        await api.replace("configmaps", old | {"data": {"a": "3"}})
    assert (await api.get("configmaps", "one"))["data"] == {"a": "2"}


async def test_an_update_without_a_version_replaces_what_is_there(api: Api) -> None:
    await api.create("configmaps", configmap("one", data={"a": "1"}))
    replaced = await api.replace("configmaps", configmap("one", data={"b": "2"}))
    assert replaced["data"] == {"b": "2"}


async def test_a_patch_that_names_a_version_is_held_to_it(api: Api) -> None:
    made = await api.create("configmaps", configmap("one"))
    old = made["metadata"]["resourceVersion"]
    await api.patch("configmaps", "one", {"metadata": {"resourceVersion": old}, "data": {"a": "1"}})
    with refused(409, "Conflict", MODIFIED):
        await api.patch("configmaps", "one", {"metadata": {"resourceVersion": old}, "data": {"a": "2"}})


async def test_a_name_that_is_taken_is_refused(api: Api) -> None:
    await api.create("configmaps", configmap("one"))
    with refused(409, "AlreadyExists", 'configmaps "one" already exists'):
        await api.create("configmaps", configmap("one"))


async def test_a_delete_is_held_to_the_uid_it_names(api: Api) -> None:
    made = await api.create("configmaps", configmap("one"))
    with refused(409, "Conflict", "the UID in the precondition (other) does not match the UID in record"):
        await api.delete("configmaps", "one", preconditions={"uid": "other"})
    await api.delete("configmaps", "one", preconditions={"uid": made["metadata"]["uid"]})
    with refused(404, "NotFound", 'configmaps "one" not found'):
        await api.get("configmaps", "one")


async def test_an_update_can_not_turn_an_object_into_another(api: Api) -> None:
    old = await api.create("configmaps", configmap("one"))
    await api.delete("configmaps", "one")
    await api.create("configmaps", configmap("one"))
    stale = configmap("one", metadata={"name": "one", "uid": old["metadata"]["uid"]})
    with refused(409, "Conflict", "Precondition failed: UID in precondition"):
        await api.replace("configmaps", stale)


async def test_writers_that_try_again_on_a_conflict_lose_no_update(api: Api) -> None:
    await api.create("configmaps", configmap("one", data={"count": "0"}))

    async def count(times: int) -> int:
        conflicts = 0
        for _ in range(times):
            while True:
                seen = await api.get("configmaps", "one")
                seen["data"]["count"] = str(int(seen["data"]["count"]) + 1)
                try:
                    await api.replace("configmaps", seen)
                    break
                except ApiError as error:
                    if error.status.reason != "Conflict":
                        raise
                    conflicts += 1
        return conflicts

    conflicts = sum(await asyncio.gather(*(count(5) for _ in range(4))))
    assert conflicts > 0
    assert (await api.get("configmaps", "one"))["data"]["count"] == "20"


async def test_spec_and_status_are_written_apart(api: Api) -> None:
    made = await api.create("deployments", deployment("web", container(SLEEP), replicas=0, paused=True))
    condition = {"type": "Greeted", "status": "True"}
    made["status"] = made.get("status", {}) | {"conditions": [condition]}
    made["spec"]["minReadySeconds"] = 7
    del made["metadata"]["resourceVersion"]
    status = await api.replace("deployments", made, "status")
    assert "minReadySeconds" not in status["spec"]
    assert "Greeted" in [c["type"] for c in status["status"]["conditions"]]
    spec = await api.replace("deployments", made | {"status": {"conditions": []}})
    assert spec["spec"]["minReadySeconds"] == 7
    assert spec["metadata"]["generation"] == 2
    assert "Greeted" in [c["type"] for c in spec["status"]["conditions"]]
