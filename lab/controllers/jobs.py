"""The Job controller: pods that run until enough of them have succeeded, or too many failed.

Source: k8s.io/kubernetes/pkg/controller/job and pkg/controller/ttlafterfinished. As there, a finalizer holds a Job's
pods until they are counted. The API server gives a new Job its selector and labels. Not acted upon: Indexed
completions, successPolicy, podFailurePolicy, managedBy.
"""

import time
from collections import defaultdict
from typing import Literal

from lab.apimachinery import conditions, events
from lab.apimachinery.ownership import claim, controller_of, is_controlled_by
from lab.apimachinery.podstate import is_active, is_ready, is_terminating, phase
from lab.apimachinery.store import Event, Object, Store, now
from lab.apimachinery.timestamps import age
from lab.apimachinery.workqueue import Key, control
from lab.controllers.backoff import Backoff
from lab.controllers.podcontrol import create_pod, delete_pod
from lab.controllers.replicasets import victims

COMPONENT = "job-controller"
TRACKING = "batch.kubernetes.io/job-tracking"


async def run(store: Store) -> None:
    """Run every Job's pods, until cancelled."""
    backoffs: defaultdict[str, Backoff] = defaultdict(Backoff)  # by the Job's uid

    def keys(event: Event) -> list[Key]:
        namespace = event.object["metadata"]["namespace"]
        if event.resource == "jobs":
            return [(namespace, event.object["metadata"]["name"])]
        owner = controller_of(event.object)
        if owner is None:  # any Job may want to adopt it
            return [(namespace, job["metadata"]["name"]) for job in store.list("jobs", namespace)]
        return [(namespace, owner["name"])] if owner["kind"] == "Job" else []

    def reconcile(key: Key) -> float | None:
        namespace, name = key
        job = store.find("jobs", namespace, name)
        _release_orphans(store, namespace, name, job)
        if job is None:
            return None
        if finished := _finished(job):
            backoffs.pop(job["metadata"]["uid"], None)
            return _expire(store, job, finished)
        return Sync(store, job, backoffs[job["metadata"]["uid"]]).run()

    await control(store, ["jobs", "pods"], keys, reconcile)


def _release_orphans(store: Store, namespace: str, name: str, job: Object | None) -> None:
    """Let go the pods of a Job of this name that is gone: nobody will count them."""
    for pod in store.list("pods", namespace):
        owner = controller_of(pod)
        if owner and (owner["kind"], owner["name"]) == ("Job", name) and not (job and is_controlled_by(pod, job)):
            _release(store, pod)


def _is_tracked(pod: Object) -> bool:
    return TRACKING in pod["metadata"].get("finalizers", [])


def _release(store: Store, pod: Object) -> None:
    """Take its finalizer from a pod that is counted, or that nobody will count."""
    if _is_tracked(pod):
        finalizers = [finalizer for finalizer in pod["metadata"].pop("finalizers") if finalizer != TRACKING]
        pod["metadata"] |= {"finalizers": finalizers} if finalizers else {}
        store.update("pods", pod)


def _finished(job: Object) -> Object | None:
    """The condition that says that a Job has ended."""
    ends = (conditions.find(job.get("status", {}), kind) for kind in ("Complete", "Failed"))
    return next((end for end in ends if end and end["status"] == "True"), None)


def _expire(store: Store, job: Object, finished: Object) -> float | None:
    """Delete a Job that ended ttlSecondsAfterFinished ago; return the seconds that it has left."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or "deletionTimestamp" in job["metadata"]:
        return None
    left: float = ttl - age(finished["lastTransitionTime"])
    if left > 0:
        return left
    store.delete("jobs", job["metadata"]["namespace"], job["metadata"]["name"])
    return None


class Sync:
    """One round over one unfinished Job."""

    def __init__(self, store: Store, job: Object, backoff: Backoff) -> None:
        self.store = store
        self.job = job
        self.spec: Object = job["spec"]
        self.status: Object = job.setdefault("status", {})
        self.backoff = backoff

    def run(self) -> float | None:
        """Count, start and stop pods, write the status; return the seconds until the next look."""
        suspended = bool(self.spec.get("suspend"))
        if not suspended:
            self.status.setdefault("startTime", now())
        self._count_finished()
        wait = None
        target = self._target()
        if target is None and "deletionTimestamp" not in self.job["metadata"]:
            wait = self._manage(suspended)
            if self._is_complete():
                target = self._set(
                    "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
                )
            else:
                self._note_suspension(suspended)
        elif target:
            self._stop_all()
        self._write(target)
        return wait

    def _pods(self) -> list[Object]:
        return claim(self.store, self.job, self.store.list("pods", self.job["metadata"]["namespace"]))

    def _active(self) -> list[Object]:
        return [pod for pod in self._pods() if is_active(pod)]

    def _count_finished(self) -> None:
        """Count the pods that have newly ended, and let them go."""
        tracked = [pod for pod in self._pods() if _is_tracked(pod)]
        succeeded = [pod for pod in tracked if phase(pod) == "Succeeded"]
        failed = [pod for pod in tracked if self._has_failed(pod)]
        self.backoff.count(succeeded, failed)
        self._add("succeeded", succeeded)
        self._add("failed", failed)

    def _add(self, field: str, pods: list[Object]) -> None:
        if pods:
            self.status[field] = self.status.get(field, 0) + len(pods)
        for pod in pods:
            _release(self.store, pod)

    def _has_failed(self, pod: Object) -> bool:
        if phase(pod) == "Failed":
            return True
        waits_for_the_end = self.spec.get("podReplacementPolicy") == "Failed"
        return not waits_for_the_end and is_terminating(pod)

    def _target(self) -> Object | None:
        """The condition that says how this Job ends, decided earlier or now; None while it goes on."""
        for kind in ("SuccessCriteriaMet", "FailureTarget"):
            if decided := conditions.find(self.status, kind):
                return decided
        if self._exceeds_backoff_limit():
            return self._set("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        if (left := self._deadline_in()) is not None and left <= 0:
            return self._set("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
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

    def _deadline_in(self) -> float | None:
        """Seconds until activeDeadlineSeconds are over."""
        if "activeDeadlineSeconds" not in self.spec or self.spec.get("suspend"):
            return None
        left: float = self.spec["activeDeadlineSeconds"] - age(self.status["startTime"])
        return left

    def _is_complete(self) -> bool:
        succeeded: int = self.status.get("succeeded", 0)
        return succeeded >= self.spec.get("completions", 1) and not self._active()

    def _manage(self, suspended: bool) -> float | None:
        """Start or stop pods; return the seconds until the next look, if it can be known."""
        active = self._active()
        wanted = 0 if suspended else self._wanted(len(active))
        for pod in victims(active, len(active) - wanted):
            _release(self.store, pod)
            delete_pod(self.store, self.job, pod, COMPONENT)
        waits = [] if (left := self._deadline_in()) is None else [left]
        missing = wanted - len(active)
        if self.spec.get("podReplacementPolicy") == "Failed":
            missing -= sum(map(is_terminating, self._pods()))
        if missing > 0:
            if (pause := self.backoff.ends_at() - time.time()) > 0:
                waits.append(pause)
            else:
                for _ in range(missing):
                    create_pod(self.store, self.job, COMPONENT, finalizers=[TRACKING])
        return min(waits, default=None)

    def _wanted(self, active: int) -> int:
        """How many pods are to run now. Without `completions`, one success ends the starting of new ones."""
        succeeded: int = self.status.get("succeeded", 0)
        parallelism: int = self.spec["parallelism"]
        if "completions" not in self.spec:
            return active if succeeded else parallelism
        missing: int = self.spec["completions"] - succeeded
        return max(0, min(parallelism, missing))

    def _note_suspension(self, suspended: bool) -> None:
        known = conditions.find(self.status, "Suspended")
        if suspended and not (known and known["status"] == "True"):
            self._set("Suspended", "JobSuspended", "Job suspended")
            self._record("Normal", "Suspended", "Job suspended")
        elif not suspended and known and known["status"] == "True":
            conditions.put(self.status, "Suspended", "False", "JobResumed", "Job resumed", lastProbeTime=now())
            self.status["startTime"] = now()
            self._record("Normal", "Resumed", "Job resumed")

    def _stop_all(self) -> None:
        """The Job has ended: pods that still run are deleted, and count as failed."""
        active = self._active()
        for pod in active:
            delete_pod(self.store, self.job, pod, COMPONENT)
        uids = {pod["metadata"]["uid"] for pod in active}
        self._add("failed", [pod for pod in self._pods() if pod["metadata"]["uid"] in uids and _is_tracked(pod)])

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
