"""Rollouts of Deployments: in which order pods come and go, and how far that may go at a time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from lab.conformance.api import JSON_PATCH, Api, Object, Recording
from lab.conformance.manifests import SLEEP, container, deployment
from lab.conformance.states import condition, holds, names, ready, rolled_out, since

# Who is ready stays so on a machine so busy that the command is late: the limits of a rollout are measured, not it.
STEADY = {"periodSeconds": 1, "timeoutSeconds": 30, "failureThreshold": 60}
READY_AFTER = {"exec": {"command": ["python", "-c", ""]}, "initialDelaySeconds": 1, **STEADY}
NEVER_READY = {"exec": {"command": ["python", "-c", "raise SystemExit(1)"]}, "periodSeconds": 1}
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


async def start(api: Api, replicas: int = 2, **spec: Any) -> None:
    probed = container(SLEEP, readinessProbe=READY_AFTER)
    await api.create("deployments", deployment("web", probed, replicas=replicas, **spec))
    await done(api)


async def done(api: Api) -> Object:
    return await api.until_one("deployments", "web", rolled_out, "is rolled out")


async def change(api: Api, colour: str) -> None:
    """Change the template, and so ask for new pods."""
    template = {"metadata": {"annotations": {"colour": colour}}}
    await api.patch("deployments", "web", {"spec": {"template": template}})


async def replaced(pods: Recording, old: set[str], replicas: int) -> None:
    """Wait until new pods, all ready, have taken the place of the old."""

    def are_new(found: list[Object]) -> bool:
        return len(found) == replicas and not old & set(names(found)) and all(map(ready, found))

    await pods.until(are_new, "new pods have replaced the old")


def steps(recording: Recording, before: list[Object]) -> list[list[Object]]:
    """The pods as they were after each event."""
    now = {obj["metadata"]["name"]: obj for obj in before}
    found = []
    for event in recording.events:
        now[event["object"]["metadata"]["name"]] = event["object"]
        if event["type"] == "DELETED":
            del now[event["object"]["metadata"]["name"]]
        found.append(list(now.values()))
    return found


def in_use(replicasets: list[Object]) -> list[int]:
    """How many pods each has that are available, once that is as many as it is to have."""
    available = [rs.get("status", {}).get("availableReplicas", 0) for rs in replicasets]
    return sorted(available) if available == [rs["spec"]["replicas"] for rs in replicasets] else []


async def test_a_deployment_owns_a_replicaset_that_owns_pods_named_after_their_template(api: Api) -> None:
    await start(api)
    (replicaset,) = (await api.list("replicasets"))["items"]
    pods = (await api.list("pods"))["items"]
    template_hash = replicaset["metadata"]["labels"][HASH]
    assert replicaset["metadata"]["name"] == f"web-{template_hash}"
    assert replicaset["metadata"]["ownerReferences"][0]["name"] == "web"
    assert replicaset["metadata"]["annotations"][REVISION] == "1"
    assert replicaset["spec"]["selector"]["matchLabels"] == {"app": "web", HASH: template_hash}
    assert len(pods) == 2
    for pod in pods:
        assert pod["metadata"]["name"].startswith(f"web-{template_hash}-")
        assert pod["metadata"]["labels"] == {"app": "web", HASH: template_hash}
        assert pod["metadata"]["ownerReferences"][0]["name"] == replicaset["metadata"]["name"]


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1), ("50%", "50%")])
async def test_a_rolling_update_keeps_within_its_bounds(api: Api, surge: int | str, unavailable: int | str) -> None:
    replicas = 3
    bounds = {"maxSurge": surge, "maxUnavailable": unavailable}
    most = {1: 4, 0: 3, "50%": 5}[surge]  # a surge is rounded up,
    least = {0: 3, 1: 2, "50%": 2}[unavailable]  # unavailability down
    await start(api, replicas, strategy={"rollingUpdate": bounds})
    async with api.recording("pods") as pods, api.recording("replicasets") as replicasets:
        pods_before, sets_before = pods.objects, replicasets.objects
        await change(api, "red")
        await replaced(pods, set(names(pods_before)), replicas)
        await replicasets.until(lambda found: in_use(found) == [0, replicas], "the old ReplicaSet is empty")
    assert min(len([p for p in step if ready(p)]) for step in steps(pods, pods_before)) >= least
    wanted = [sum(rs["spec"]["replicas"] for rs in step) for step in steps(replicasets, sets_before)]
    assert max(wanted) == most


async def test_recreate_ends_all_old_pods_before_a_new_one_begins(api: Api) -> None:
    await start(api, strategy={"type": "Recreate"})
    async with api.recording("pods") as pods:
        before = pods.objects
        await change(api, "red")
        await replaced(pods, set(names(before)), 2)
    kinds = [event["type"] for event in pods.events if event["type"] != "MODIFIED"]
    assert kinds == ["DELETED", "DELETED", "ADDED", "ADDED"]


async def test_a_new_pod_is_available_only_after_it_was_ready_for_a_while(api: Api) -> None:
    """The old pod may go then, and no earlier. (A busy controller may see "ready" and "available" at once.)"""
    await start(api, 1, minReadySeconds=3, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    async with api.recording("pods") as pods:
        (old,) = names(pods.objects)
        await change(api, "red")
        await replaced(pods, {old}, 1)
    (new,) = pods.objects
    going = [event["object"]["metadata"] for event in pods.events if event["object"]["metadata"]["name"] == old]
    marked = next(metadata for metadata in going if "deletionTimestamp" in metadata)
    grace = timedelta(seconds=marked["deletionGracePeriodSeconds"])
    began_to_go = datetime.fromisoformat(marked["deletionTimestamp"]) - grace
    assert began_to_go - since(new, "Ready") >= timedelta(seconds=3)


async def test_a_rollout_whose_pods_never_get_ready_stops_and_says_so(api: Api) -> None:
    await start(api, progressDeadlineSeconds=3, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    old = {p["metadata"]["name"] for p in (await api.list("pods"))["items"]}
    probe = [{"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe", "value": NEVER_READY}]
    await api.patch("deployments", "web", probe, JSON_PATCH)

    def stuck(obj: Object) -> bool:
        return condition(obj, "Progressing").get("reason") == "ProgressDeadlineExceeded"

    seen = await api.until_one("deployments", "web", stuck, "has exceeded its deadline")
    assert condition(seen, "Progressing")["status"] == "False"
    assert "has timed out progressing" in condition(seen, "Progressing")["message"]
    assert holds(seen, "Available")
    pods = (await api.list("pods"))["items"]
    assert {p["metadata"]["name"] for p in pods if ready(p)} == old
    assert len(pods) == 3


async def test_revisions_are_counted_and_an_old_template_gets_its_replicaset_back(api: Api) -> None:
    await start(api, 1)
    for colour in ("red", "blue", "red"):
        await change(api, colour)
        await done(api)
    replicasets = (await api.list("replicasets"))["items"]
    colours = {rs["spec"]["template"]["metadata"].get("annotations", {}).get("colour"): rs for rs in replicasets}
    revisions = {colour: rs["metadata"]["annotations"][REVISION] for colour, rs in colours.items()}
    assert revisions == {None: "1", "blue": "3", "red": "4"}
    assert colours["red"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "2"
    assert [rs["spec"]["replicas"] for rs in replicasets if rs is not colours["red"]] == [0, 0]
    assert (await api.get("deployments", "web"))["metadata"]["annotations"][REVISION] == "4"


async def test_no_more_old_replicasets_are_kept_than_asked_for(api: Api) -> None:
    await start(api, 1, revisionHistoryLimit=1)
    for colour in ("red", "blue"):
        await change(api, colour)
        await done(api)

    def kept(replicasets: list[Object]) -> bool:
        return sorted(rs["metadata"]["annotations"][REVISION] for rs in replicasets) == ["2", "3"]

    await api.until("replicasets", kept, "revision 1 is gone")


async def test_scaling_keeps_the_ready_pods_and_then_the_older(api: Api) -> None:
    await start(api, 2)
    old = {p["metadata"]["name"] for p in (await api.list("pods"))["items"]}
    await api.patch("deployments", "web", {"spec": {"replicas": 4}}, subresource="scale")
    await api.until("pods", lambda pods: len(pods) == 4, "there are four")
    await api.patch("deployments", "web", {"spec": {"replicas": 2}}, subresource="scale")
    await api.until("pods", lambda pods: set(names(pods)) == old, "the first two are left")


async def test_a_deployment_says_when_it_is_available_and_when_not(api: Api) -> None:
    unready = container(SLEEP, readinessProbe=NEVER_READY)
    await api.create("deployments", deployment("web", unready, replicas=1))
    seen = await api.until_one(
        "deployments", "web", lambda d: condition(d, "Available"), "says whether it is available"
    )
    assert condition(seen, "Available")["reason"] == "MinimumReplicasUnavailable"
    probe = [{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]
    await api.patch("deployments", "web", probe, JSON_PATCH)
    seen = await done(api)
    assert condition(seen, "Available")["reason"] == "MinimumReplicasAvailable"
    seen = await api.until_one(
        "deployments", "web", lambda d: condition(d, "Progressing")["reason"] == "NewReplicaSetAvailable", "is complete"
    )
    assert "has successfully progressed." in condition(seen, "Progressing")["message"]
