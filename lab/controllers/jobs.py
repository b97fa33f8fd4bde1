"""The Job controller: pods that run until enough of them have succeeded, or too many failed.

Source: k8s.io/kubernetes/pkg/controller/job. The API server gives a new Job its selector and labels. Pods are counted
as they are in the store, with no finalizer that holds them there; a count never shrinks. Not acted upon: suspend,
deadlines, ttlSecondsAfterFinished, Indexed completions, and the policies (of success, failure, replacement).
"""

import time
from typing import Literal

from lab.apimachinery import conditions, events
from lab.apimachinery.ownership import claim, controller_of
from lab.apimachinery.podstate import is_active, is_ready, is_terminating, phase
from lab.apimachinery.store import Event, Object, Store, now
from lab.apimachinery.timestamps import epoch
from lab.apimachinery.workqueue import Key, control
from lab.controllers.replicasets import create_pod, delete_pod, victims

COMPONENT = "job-controller"
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 600.0  # seconds


async def run(store: Store) -> None:
    """Run every Job's pods, until cancelled."""

    def keys(event: Event) -> list[Key]:
        namespace = event.object["metadata"]["namespace"]
        if event.resource == "jobs":
            return [(namespace, event.object["metadata"]["name"])]
        owner = controller_of(event.object)
        return [(namespace, owner["name"])] if owner and owner["kind"] == "Job" else []

    await control(store, ["jobs", "pods"], keys, lambda key: reconcile(store, key))


def reconcile(store: Store, key: Key) -> float | None:
    """Bring one Job's pods and status up to date; return the seconds until the next look."""
    job = store.find("jobs", *key)
    if job is None or any(conditions.find(job.get("status", {}), kind) for kind in ("Complete", "Failed")):
        return None
    return Sync(store, job).run()


def backoff_until(pods: list[Object]) -> float:
    """The time (in seconds since 1970) from which a new pod may be created in the place of one that has failed.

    10 s after the last failure, doubled for each since the last success (pkg/controller/job/backoff_utils.go).
    """
    succeeded = max((_finished_at(pod) for pod in pods if phase(pod) == "Succeeded"), default=0)
    failures = [at for pod in pods if phase(pod) == "Failed" and (at := _finished_at(pod)) > succeeded]
    wait: float = FIRST_BACKOFF * 2 ** (len(failures) - 1)
    return max(failures) + min(wait, LONGEST_BACKOFF) if failures else 0


def _finished_at(pod: Object) -> float:
    """When the last of a pod's containers ended."""
    states = [container["state"].get("terminated") for container in pod["status"].get("containerStatuses", [])]
    return max((epoch(state["finishedAt"]) for state in states if state), default=0)


class Sync:
    """One round over one unfinished Job."""

    def __init__(self, store: Store, job: Object) -> None:
        self.store = store
        self.job = job
        self.spec: Object = job["spec"]
        self.status: Object = job.setdefault("status", {})

    def run(self) -> float | None:
        """Count, start and stop pods, write the status; return the seconds until the next look."""
        self.status.setdefault("startTime", now())
        self._count_finished()
        wait = None
        target = self._target()
        if target:
            for pod in self._active():
                delete_pod(self.store, self.job, pod, COMPONENT)
            self._count_finished()
        elif "deletionTimestamp" not in self.job["metadata"]:
            wait = self._manage()
            if self._is_complete():
                message = "Reached expected number of succeeded pods"
                target = self._set("SuccessCriteriaMet", "CompletionsReached", message)
        self._write(target)
        return wait

    def _pods(self) -> list[Object]:
        return claim(self.store, self.job, self.store.list("pods", self.job["metadata"]["namespace"]))

    def _active(self) -> list[Object]:
        return [pod for pod in self._pods() if is_active(pod)]

    def _count_finished(self) -> None:
        pods = self._pods()
        ended = {
            "succeeded": sum(phase(pod) == "Succeeded" for pod in pods),
            "failed": sum(phase(pod) == "Failed" or is_terminating(pod) for pod in pods),
        }
        self.status |= {field: max(n, self.status.get(field, 0)) for field, n in ended.items() if n}

    def _target(self) -> Object | None:
        """The condition that says how this Job ends, decided earlier or now; None while it goes on."""
        for kind in ("SuccessCriteriaMet", "FailureTarget"):
            if decided := conditions.find(self.status, kind):
                return decided
        if self._exceeds_backoff_limit():
            return self._set("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        return None

    def _record(self, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        events.record(self.store, self.job, kind, reason, message, COMPONENT)

    def _set(self, kind: str, reason: str, message: str) -> Object:
        conditions.put(self.status, kind, "True", reason, message, lastProbeTime=now())
        return conditions.find(self.status, kind) or {}

    def _exceeds_backoff_limit(self) -> bool:
        limit: int = self.spec["backoffLimit"]
        if self.status.get("failed", 0) > limit:
            return True
        if self.spec["template"]["spec"]["restartPolicy"] != "OnFailure":
            return False
        running = [pod["status"] for pod in self._pods() if phase(pod) in ("Running", "Pending") and "status" in pod]
        statuses = [c for s in running for c in s.get("initContainerStatuses", []) + s.get("containerStatuses", [])]
        restarts: int = sum(container["restartCount"] for container in statuses)
        return restarts >= max(1, limit)

    def _is_complete(self) -> bool:
        succeeded: int = self.status.get("succeeded", 0)
        return succeeded >= self.spec.get("completions", 1) and not self._active()

    def _manage(self) -> float | None:
        """Start or stop pods; return the seconds until a failed one may be replaced, where it must wait."""
        active = self._active()
        wanted = self._wanted(len(active))
        for pod in victims(active, len(active) - wanted):
            delete_pod(self.store, self.job, pod, COMPONENT)
        missing = wanted - len(active)
        if missing > 0 and (pause := backoff_until(self._pods()) - time.time()) > 0:
            return pause
        for _ in range(missing):
            create_pod(self.store, self.job, COMPONENT)
        return None

    def _wanted(self, active: int) -> int:
        """How many pods are to run now. Without `completions`, one success ends the starting of new ones."""
        succeeded: int = self.status.get("succeeded", 0)
        parallelism: int = self.spec["parallelism"]
        if "completions" not in self.spec:
            return active if succeeded else parallelism
        missing: int = self.spec["completions"] - succeeded
        return max(0, min(parallelism, missing))

    def _write(self, target: Object | None) -> None:
        pods = self._pods()
        active = [pod for pod in pods if is_active(pod)]
        terminating = sum(map(is_terminating, pods))
        self.status["active"] = len(active)
        self.status["ready"] = sum(map(is_ready, active))
        self.status["terminating"] = terminating
        self.status["uncountedTerminatedPods"] = {}
        if not active:
            del self.status["active"]
        if target and not terminating:
            self._end(target)
        self.store.update("jobs", self.job, subresource="status")

    def _end(self, target: Object) -> None:
        if target["type"] == "FailureTarget":
            self._set("Failed", target["reason"], target["message"])
            self._record("Warning", target["reason"], target["message"])
        else:
            complete = self._set("Complete", target["reason"], target["message"])
            self.status["completionTime"] = complete["lastTransitionTime"]
            self._record("Normal", "Completed", "Job completed")
