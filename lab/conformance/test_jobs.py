"""Jobs: programs that run until they have ended well, or failed too often."""

from typing import Any

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, job, python
from lab.conformance.states import condition, holds, phase, restarts

FAIL = python("raise SystemExit(1)")


async def run(api: Api, command: list[str], within: float = 40, **spec: Any) -> Object:
    """Run a Job to its end."""
    await api.create("jobs", job("once", command, **spec))
    return await api.until_one("jobs", "once", lambda j: holds(j, "Complete") or holds(j, "Failed"), "ends", within)


async def test_a_job_completes_when_its_pod_succeeds(api: Api) -> None:
    done = await run(api, python("print('done')"))
    status = done["status"]
    assert status["succeeded"] == 1
    assert status["startTime"] <= status["completionTime"]
    assert "active" not in status
    assert condition(done, "Complete")["reason"] == "CompletionsReached"
    assert condition(done, "SuccessCriteriaMet")["reason"] == "CompletionsReached"
    assert condition(done, "Failed") == {}


async def test_a_jobs_pod_is_labelled_owned_and_stays_with_its_log(api: Api) -> None:
    done = await run(api, python("print('done')"))
    (pod,) = (await api.list("pods", labelSelector="batch.kubernetes.io/job-name=once"))["items"]
    assert pod["metadata"]["labels"] == {
        "batch.kubernetes.io/controller-uid": done["metadata"]["uid"],
        "batch.kubernetes.io/job-name": "once",
        "controller-uid": done["metadata"]["uid"],
        "job-name": "once",
    }
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Job", "once", True)
    assert pod["metadata"]["name"].startswith("once-")
    assert phase(pod) == "Succeeded"
    assert await api.logs(pod["metadata"]["name"]) == "done\n"


async def test_a_job_fails_when_its_pods_have_failed_too_often(api: Api) -> None:
    failed = await run(api, FAIL, backoffLimit=0)
    assert failed["status"]["failed"] == 1
    assert condition(failed, "Failed")["reason"] == "BackoffLimitExceeded"
    assert condition(failed, "Failed")["message"] == "Job has reached the specified backoff limit"
    assert "completionTime" not in failed["status"]
    assert condition(failed, "Complete") == {}


async def test_a_job_tries_again_with_a_new_pod(api: Api) -> None:
    failed = await run(api, FAIL, backoffLimit=1)
    assert failed["status"]["failed"] == 2
    pods = (await api.list("pods"))["items"]
    assert [phase(pod) for pod in pods] == ["Failed", "Failed"]


async def test_a_job_runs_as_many_pods_as_it_is_to_complete_and_so_many_at_a_time(api: Api) -> None:
    async with api.recording("pods") as pods:
        done = await run(api, python("import time; time.sleep(1)"), completions=3, parallelism=2)
        await pods.until(lambda found: [phase(p) for p in found] == ["Succeeded"] * 3, "three pods have succeeded")
    assert done["status"]["succeeded"] == 3
    living: set[str] = set()
    most = 0
    for event in pods.events:
        name = event["object"]["metadata"]["name"]
        living = living - {name} if phase(event["object"]) == "Succeeded" else living | {name}
        most = max(most, len(living))
    assert most == 2


async def test_deleting_a_job_deletes_its_pods(api: Api) -> None:
    await api.create("jobs", job("once", SLEEP))
    await api.until("pods", lambda pods: [p for p in pods if phase(p) == "Running"], "its pod runs")
    await api.delete("jobs", "once", propagationPolicy="Background")
    await api.until("pods", lambda pods: not pods, "its pod is gone")


async def test_a_jobs_pod_can_be_restarted_in_place_and_ends_with_the_job(api: Api) -> None:
    async with api.recording("pods") as pods:
        failed = await run(api, FAIL, pod_fields={"restartPolicy": "OnFailure"}, backoffLimit=1)
        await pods.until(lambda found: pods.events and not found, "its pod is gone")
    assert condition(failed, "Failed")["reason"] == "BackoffLimitExceeded"
    assert len({event["object"]["metadata"]["name"] for event in pods.events}) == 1
    assert max(restarts(event["object"]) for event in pods.events) >= 1
