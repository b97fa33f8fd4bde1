"""Jobs: completion, failure, back-off, deadline, suspension; the test plays the kubelet."""

import time
from typing import Any

from lab.apimachinery.store import Object, Store, now
from lab.controllers import jobs
from lab.controllers.backoff import Backoff
from lab.objects.defaults import set_defaults
from lab.testing import messages, pods, running, set_ready, set_status, settled, until

PAST = "2026-01-01T00:00:00Z"


def create(store: Store, restart_policy: str = "Never", **spec: Any) -> Object:
    labels = {"batch.kubernetes.io/controller-uid": "u"}
    template = {"metadata": {"labels": labels}, "spec": {"restartPolicy": restart_policy, "containers": []}}
    meta = {"namespace": "shop", "name": "sum"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta}
    job["spec"] = {"selector": {"matchLabels": labels}, "template": template} | spec
    set_defaults("jobs", job)
    return store.create("jobs", job)


def status(store: Store) -> Object:
    found: Object = store.get("jobs", "shop", "sum").get("status", {})
    return found


def counts(store: Store) -> dict[str, int]:
    fields = ("active", "ready", "succeeded", "failed", "terminating")
    return {field: number for field in fields if (number := status(store).get(field))}


def conditions(store: Store) -> list[tuple[str, str, str, str]]:
    found = status(store).get("conditions", [])
    return [(c["type"], c["status"], c["reason"], c["message"]) for c in found]


def assign(store: Store) -> None:
    for pod in pods(store):
        store.mutate("pods", "shop", pod["metadata"]["name"], lambda p: p["spec"].update(nodeName="lab"))


def end(store: Store, pod: Object, phase: str, at: str = PAST) -> None:
    terminated = {"terminated": {"exitCode": 0, "finishedAt": at}}
    set_status(store, pod, phase=phase, containerStatuses=[{"restartCount": 0, "state": terminated}])


LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
LATE = ("DeadlineExceeded", "Job was active longer than specified deadline")


async def test_a_job_completes_when_enough_pods_have_succeeded(store: Store) -> None:
    create(store, completions=3, parallelism=2)
    async with running(jobs.run(store)):
        await until(lambda: counts(store) == {"active": 2}, "2 pods at a time")
        first, second = pods(store)
        set_ready(store, first)
        await until(lambda: counts(store) == {"active": 2, "ready": 1}, "a ready pod")
        end(store, first, "Succeeded")
        await until(lambda: counts(store) == {"active": 2, "succeeded": 1}, "the third pod")
        end(store, second, "Succeeded")
        await until(lambda: counts(store) == {"active": 1, "succeeded": 2}, "no fourth pod")
        assert conditions(store) == []
        (last,) = [pod for pod in pods(store) if "containerStatuses" not in pod["status"]]
        end(store, last, "Succeeded")
        await until(lambda: "completionTime" in status(store), "completion")
    reached = ("CompletionsReached", "Reached expected number of succeeded pods")
    assert conditions(store) == [("SuccessCriteriaMet", "True", *reached), ("Complete", "True", *reached)]
    assert {k: v for k, v in status(store).items() if "Time" not in k and k != "conditions"} == {
        "ready": 0,
        "succeeded": 3,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert messages(store, "Completed") == ["Job completed"]
    assert len(messages(store, "SuccessfulCreate")) == 3


async def test_a_pod_is_held_until_it_is_counted(store: Store) -> None:
    create(store)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
        assign(store)
        end(store, pod, "Succeeded")
        store.delete("pods", "shop", pod["metadata"]["name"], grace=0)
        await until(lambda: "completionTime" in status(store), "completion")
    assert counts(store) == {"succeeded": 1}
    assert pods(store) == []


async def test_failures_over_the_limit_fail_the_job(store: Store) -> None:
    create(store, backoffLimit=1)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        end(store, pod, "Failed")
        await until(lambda: counts(store) == {"active": 1, "failed": 1}, "a second try")
        end(store, pods(store)[-1] if phase_of(pods(store)[-1]) == "Pending" else pods(store)[0], "Failed")
        await until(lambda: len(conditions(store)) == 2, "failure")
        await settled(store)
    assert conditions(store) == [("FailureTarget", "True", *LIMIT), ("Failed", "True", *LIMIT)]
    assert counts(store) == {"failed": 2}
    assert "completionTime" not in status(store)
    assert messages(store, "BackoffLimitExceeded") == [LIMIT[1]]
    assert len(pods(store)) == 2  # failed pods stay, for their logs


def phase_of(pod: Object) -> str:
    return str(pod["status"]["phase"])


async def test_a_failed_pod_is_replaced_only_after_the_back_off(store: Store) -> None:
    create(store)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        end(store, pod, "Failed", at=now())
        await until(lambda: counts(store) == {"failed": 1}, "counted")
        await settled(store)
        assert len(pods(store)) == 1


def ended(at: float) -> Object:
    finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    state = {"terminated": {"finishedAt": finished}}
    return {"metadata": {}, "status": {"containerStatuses": [{"state": state}]}}


def test_the_back_off_doubles_and_ends_with_a_success() -> None:
    backoff = Backoff()
    assert backoff.ends_at() == 0
    backoff.count([], [ended(100)])
    assert backoff.ends_at() == 110
    backoff.count([], [ended(200), ended(190)])
    assert backoff.ends_at() == 240
    backoff.count([], [ended(300)] * 9)
    assert backoff.ends_at() == 900
    backoff.count([ended(400)], [ended(390), ended(410)])
    assert backoff.ends_at() == 420
    backoff.count([ended(500)], [])
    assert backoff.ends_at() == 0


async def test_restarts_in_place_count_against_the_limit_with_on_failure(store: Store) -> None:
    create(store, restart_policy="OnFailure", backoffLimit=2)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        set_status(store, pod, phase="Running", containerStatuses=[{"restartCount": 1}])
        await settled(store)
        assert conditions(store) == []
        set_status(store, pod, phase="Running", containerStatuses=[{"restartCount": 2}])
        await until(lambda: len(conditions(store)) == 2, "failure")
    assert conditions(store)[-1] == ("Failed", "True", *LIMIT)
    assert pods(store) == []
    assert counts(store) == {"failed": 1}


async def test_the_deadline_stops_the_pods_and_the_job_fails_when_they_are_gone(store: Store) -> None:
    create(store, activeDeadlineSeconds=1)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        assign(store)
        await until(lambda: conditions(store), "the deadline")
        assert conditions(store) == [("FailureTarget", "True", *LATE)]
        assert counts(store) == {"failed": 1, "terminating": 1}
        store.delete("pods", "shop", pod["metadata"]["name"], grace=0)
        await until(lambda: len(conditions(store)) == 2, "failure")
    assert conditions(store)[-1] == ("Failed", "True", *LATE)
    assert messages(store, "SuccessfulDelete") == [f"Deleted pod: {pod['metadata']['name']}"]


async def test_a_suspended_job_has_no_pods_and_starts_anew_when_it_is_resumed(store: Store) -> None:
    create(store)
    async with running(jobs.run(store)):
        await until(lambda: counts(store) == {"active": 1}, "a pod")
        store.mutate("jobs", "shop", "sum", lambda job: job["spec"].update(suspend=True))
        await until(lambda: pods(store) == [], "no pods")
        await settled(store)
        assert counts(store) == {}
        assert conditions(store) == [("Suspended", "True", "JobSuspended", "Job suspended")]
        store.mutate("jobs", "shop", "sum", lambda job: job["spec"].update(suspend=False))
        await until(lambda: counts(store) == {"active": 1}, "a pod")
    assert conditions(store) == [("Suspended", "False", "JobResumed", "Job resumed")]


async def test_without_completions_one_success_lets_the_others_finish(store: Store) -> None:
    create(store, parallelism=2)
    async with running(jobs.run(store)):
        await until(lambda: counts(store) == {"active": 2}, "2 pods")
        first, second = pods(store)
        end(store, first, "Succeeded")
        await until(lambda: counts(store) == {"active": 1, "succeeded": 1}, "no new pod")
        assert conditions(store) == []
        end(store, second, "Failed")
        await until(lambda: "completionTime" in status(store), "completion")
    assert counts(store) == {"succeeded": 1, "failed": 1}


async def test_a_finished_job_goes_after_its_time_to_live(store: Store) -> None:
    create(store, ttlSecondsAfterFinished=1)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        end(store, pod, "Succeeded")
        await until(lambda: "completionTime" in status(store), "completion")
        await until(lambda: store.find("jobs", "shop", "sum") is None, "the Job is gone")


async def test_the_pods_of_a_deleted_job_are_let_go(store: Store) -> None:
    create(store)
    async with running(jobs.run(store)):
        await until(lambda: pods(store), "a pod")
        store.delete("jobs", "shop", "sum")
        await until(lambda: "finalizers" not in pods(store)[0]["metadata"], "let go")


async def test_a_pod_that_is_deleted_from_outside_counts_as_failed_and_is_replaced(store: Store) -> None:
    create(store)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        assign(store)
        set_ready(store, pod)
        store.delete("pods", "shop", pod["metadata"]["name"])
        await until(lambda: counts(store) == {"failed": 1, "terminating": 1}, "counted")
        store.delete("pods", "shop", pod["metadata"]["name"], grace=0)
        await until(lambda: pods(store) == [], "let go")
