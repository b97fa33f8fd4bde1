"""Jobs: pods that are deleted before they end, and the back-off; the test plays the kubelet."""

from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.apimachinery.timestamps import epoch
from lab.controllers import jobs
from lab.testing import create, pods, running, set_ready, set_status, until


def create_job(store: Store, **spec: Any) -> None:
    labels = {"batch.kubernetes.io/controller-uid": "u"}
    template = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": []}}
    create(store, "jobs", "sum", spec={"selector": {"matchLabels": labels}, "template": template} | spec)


def status(store: Store) -> Object:
    found: Object = store.get("jobs", "shop", "sum").get("status", {})
    return found


def counts(store: Store) -> dict[str, int]:
    fields = ("active", "ready", "succeeded", "failed", "terminating")
    return {field: number for field in fields if (number := status(store).get(field))}


def assign(store: Store) -> None:
    for pod in pods(store):
        store.mutate("pods", "shop", pod["metadata"]["name"], lambda p: p["spec"].update(nodeName="lab"))


def ended(phase: str, minute: int) -> Object:
    terminated = {"terminated": {"exitCode": 0, "finishedAt": f"2026-01-01T00:{minute:02}:00Z"}}
    return {"phase": phase, "containerStatuses": [{"restartCount": 0, "state": terminated}]}


def end(store: Store, pod: Object, phase: str) -> None:
    set_status(store, pod, **ended(phase, 0))


@pytest.mark.parametrize(
    ("phases", "seconds"),
    [
        ("", None),
        ("SS", None),
        ("F", 10),
        ("FF", 20),
        ("FFFS", None),
        ("FFSF", 10),
        ("SFFF", 40),
        ("FFFFFFFFF", 600),
    ],
)
def test_the_back_off_doubles_and_ends_with_a_success(phases: str, seconds: int | None) -> None:
    """`phases` are those of pods that have ended at minute 0, 1, …: `S` Succeeded, `F` Failed."""
    full = {"S": "Succeeded", "F": "Failed"}
    pods = [{"status": ended(full[letter], minute)} for minute, letter in enumerate(phases)]
    last = epoch("2026-01-01T00:00:00Z") + 60 * (len(phases) - 1)
    assert jobs.backoff_until(pods) == (0 if seconds is None else last + seconds)


async def test_without_completions_one_success_lets_the_others_finish(store: Store) -> None:
    create_job(store, parallelism=2)
    async with running(jobs.run(store)):
        await until(lambda: counts(store) == {"active": 2}, "2 pods")
        first, second = pods(store)
        end(store, first, "Succeeded")
        await until(lambda: counts(store) == {"active": 1, "succeeded": 1}, "no new pod")
        end(store, second, "Failed")
        await until(lambda: "completionTime" in status(store), "completion")
    assert counts(store) == {"succeeded": 1, "failed": 1}


async def test_a_pod_that_is_deleted_from_outside_counts_as_failed_and_is_replaced(store: Store) -> None:
    create_job(store)
    async with running(jobs.run(store)):
        (pod,) = await until(lambda: pods(store), "a pod")
        assign(store)
        set_ready(store, pod)
        store.delete("pods", "shop", pod["metadata"]["name"])
        await until(lambda: counts(store) == {"active": 1, "failed": 1, "terminating": 1}, "counted and replaced")
        store.delete("pods", "shop", pod["metadata"]["name"], grace=0)
        await until(lambda: len(pods(store)) == 1, "let go")
