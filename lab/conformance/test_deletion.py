"""Deleting: at once, when the finalizers are through, or when the pod has ended."""

from lab.conformance.api import Api, refused
from lab.conformance.manifests import SLEEP, configmap, container, pod
from lab.conformance.states import names, phase


async def test_a_deleted_object_is_gone_and_the_answer_says_what_it_was(api: Api) -> None:
    made = await api.create("configmaps", configmap("one"))
    answer = await api.delete("configmaps", "one")
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "one", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    for call in (api.get, api.delete):
        with refused(404, "NotFound", 'configmaps "one" not found'):
            await call("configmaps", "one")


async def test_an_object_with_a_finalizer_stays_until_that_is_removed(api: Api) -> None:
    await api.create("configmaps", configmap("one", metadata={"name": "one", "finalizers": ["example.com/hold"]}))
    await api.delete("configmaps", "one")
    held = await api.get("configmaps", "one")
    assert held["metadata"]["deletionTimestamp"]
    again = await api.delete("configmaps", "one")
    assert again["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    with refused(422, "Invalid", "Forbidden: no new finalizers can be added if the object is being deleted"):
        await api.patch("configmaps", "one", {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    await api.patch("configmaps", "one", {"metadata": {"finalizers": None}})
    await api.until_gone("configmaps", "one")


async def test_what_labels_select_is_deleted_together(api: Api) -> None:
    for name, colour in {"a": "red", "b": "red", "c": "blue"}.items():
        await api.create("configmaps", configmap(name, metadata={"name": name, "labels": {"colour": colour}}))
    answer = await api.delete("configmaps", query={"labelSelector": "colour=red"})
    assert names(answer["items"]) == ["a", "b"]
    assert names((await api.list("configmaps", labelSelector="colour"))["items"]) == ["c"]


async def test_a_dry_run_creates_changes_and_deletes_nothing(api: Api) -> None:
    tried = await api.create("configmaps", configmap("two"), dryRun="All")
    assert tried["metadata"]["uid"]
    assert "resourceVersion" not in tried["metadata"]
    made = await api.create("configmaps", configmap("one", data={"a": "1"}))
    changed = await api.patch("configmaps", "one", {"data": {"a": "2"}}, dryRun="All")
    assert changed["data"] == {"a": "2"}
    assert changed["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    await api.delete("configmaps", "one", dryRun=["All"])
    assert (await api.get("configmaps", "one"))["data"] == {"a": "1"}
    assert "two" not in names((await api.list("configmaps"))["items"])


async def test_a_running_pod_is_marked_first_and_gone_when_it_has_ended(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP), terminationGracePeriodSeconds=2))
    await api.until_one("pods", "web", lambda p: phase(p) == "Running", "runs")
    async with api.recording("pods") as recording:
        marked = await api.delete("pods", "web")
        assert marked["kind"] == "Pod"
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 2
        assert marked["metadata"]["deletionTimestamp"]
        await recording.until(lambda pods: not pods, "the pod is gone")
    assert [event["type"] for event in recording.events][-1] == "DELETED"
    assert recording.events[0]["object"]["metadata"]["deletionTimestamp"]


async def test_a_pod_deleted_without_grace_is_gone_at_once(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP), terminationGracePeriodSeconds=3600))
    await api.until_one("pods", "web", lambda p: phase(p) == "Running", "runs")
    await api.delete("pods", "web", gracePeriodSeconds=0)
    with refused(404, "NotFound", 'pods "web" not found'):
        await api.get("pods", "web")


async def test_a_second_delete_can_shorten_the_grace_but_not_lengthen_it(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP), terminationGracePeriodSeconds=3600))
    await api.until_one("pods", "web", lambda p: phase(p) == "Running", "runs")
    await api.delete("pods", "web", gracePeriodSeconds=600)
    longer = await api.delete("pods", "web", gracePeriodSeconds=1200)
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 600
    shorter = await api.delete("pods", "web", gracePeriodSeconds=300)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 300
    await api.delete("pods", "web", gracePeriodSeconds=0)


async def test_a_pod_that_no_node_has_taken_is_gone_at_once(api: Api) -> None:
    gates = [{"name": "example.com/wait"}]
    await api.create("pods", pod("web", container(SLEEP), schedulingGates=gates))
    await api.delete("pods", "web")
    with refused(404, "NotFound", 'pods "web" not found'):
        await api.get("pods", "web")
