"""Events: what `kubectl describe` tells of an object's past."""

from lab.conformance.api import Api, Object, Objects
from lab.conformance.manifests import SLEEP, container, deployment, job, pod, program, python
from lab.conformance.states import finished, holds, ready, rolled_out


async def told(api: Api, kind: str, *reasons: str, within: float = 40) -> dict[str, Object]:
    """Wait for events of these reasons about objects of a kind; return one of each by its reason."""

    def by_reason(events: Objects) -> dict[str, Object] | None:
        found = {e["reason"]: e for e in events if e["involvedObject"]["kind"] == kind}
        return found if found.keys() >= set(reasons) else None

    return await api.until("events", by_reason, f"events {reasons} of a {kind}", within) or {}


async def test_a_pods_beginning_and_end_are_told(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP)))
    await api.until_one("pods", "web", ready, "is ready")
    await api.delete("pods", "web")
    events = await told(api, "Pod", "Scheduled", "Pulled", "Created", "Started", "Killing")
    assert events["Scheduled"]["message"].startswith(f"Successfully assigned {api.namespace}/web to ")
    assert events["Pulled"]["message"] == 'Container image "greeter:dev" already present on machine'
    assert events["Created"]["message"] == "Created container: main"
    assert events["Started"]["message"] == "Started container main"
    assert events["Killing"]["message"] == "Stopping container main"
    for reason in ("Pulled", "Created", "Started", "Killing"):
        event = events[reason]
        assert event["type"] == "Normal"
        assert event["involvedObject"]["fieldPath"] == "spec.containers{main}"
        assert event["source"]["component"] == "kubelet"
        assert event["firstTimestamp"] <= event["lastTimestamp"]


async def test_an_event_that_repeats_is_counted(api: Api) -> None:
    await api.create("pods", program("web", "raise SystemExit(1)", restartPolicy="Always"))

    def counted(events: Objects) -> Objects:
        return [e for e in events if e["reason"] == "Started" and e.get("count", 1) >= 2]

    (started,) = await api.until("events", counted, "two starts in one event")
    assert started["message"] == "Started container main"
    backing_off = (await told(api, "Pod", "BackOff"))["BackOff"]
    assert backing_off["type"] == "Warning"
    assert backing_off["message"].startswith("Back-off restarting failed container main in pod web_")


async def test_a_deployment_tells_how_it_scales_and_its_replicaset_what_it_creates(api: Api) -> None:
    await api.create("deployments", deployment("web", container(SLEEP), replicas=2))
    await api.until_one("deployments", "web", rolled_out, "is rolled out")
    (replicaset,) = (await api.list("replicasets"))["items"]
    name = replicaset["metadata"]["name"]
    scaled = (await told(api, "Deployment", "ScalingReplicaSet"))["ScalingReplicaSet"]
    assert scaled["message"] == f"Scaled up replica set {name} from 0 to 2"
    created = (await told(api, "ReplicaSet", "SuccessfulCreate"))["SuccessfulCreate"]
    assert created["message"].startswith(f"Created pod: {name}-")
    await api.patch("deployments", "web", {"spec": {"replicas": 1}})
    deleted = (await told(api, "ReplicaSet", "SuccessfulDelete"))["SuccessfulDelete"]
    assert deleted["message"].startswith(f"Deleted pod: {name}-")


async def test_a_job_tells_what_it_creates_and_that_it_completed(api: Api) -> None:
    await api.create("jobs", job("once", python("")))
    await api.until_one("jobs", "once", lambda j: holds(j, "Complete"), "completes")
    events = await told(api, "Job", "SuccessfulCreate", "Completed")
    assert events["SuccessfulCreate"]["message"].startswith("Created pod: once-")
    assert events["Completed"]["message"] == "Job completed"


async def test_events_about_one_object_are_found_by_its_name(api: Api) -> None:
    for name in ("one", "two"):
        await api.create("pods", program(name, ""))
        await api.until_one("pods", name, finished, "is finished")
    await told(api, "Pod", "Started")
    about = await api.list("events", fieldSelector="involvedObject.name=two,type=Normal")
    assert {e["involvedObject"]["name"] for e in about["items"]} == {"two"}
    assert about["items"]
