"""How long a Job waits before it replaces a failed pod: 10 s, doubled for each failure since the last success.

Source: k8s.io/kubernetes/pkg/controller/job/backoff_utils.go.
"""

from dataclasses import dataclass

from lab.apimachinery import conditions
from lab.apimachinery.store import Object
from lab.apimachinery.timestamps import epoch

FIRST, LONGEST = 10.0, 600.0  # seconds


@dataclass
class Backoff:
    """A Job's failures since its last success."""

    failures: int = 0
    last_failure: float = 0

    def count(self, succeeded: list[Object], failed: list[Object]) -> None:
        """Take note of pods that have newly ended."""
        if succeeded:
            last_success = max(map(finished_at, succeeded))
            failed = [pod for pod in failed if finished_at(pod) > last_success]
            self.failures = 0
        self.failures += len(failed)
        self.last_failure = max([self.last_failure, *map(finished_at, failed)])

    def ends_at(self) -> float:
        """The time (in seconds since 1970) from which a new pod may be created."""
        if not self.failures:
            return 0
        wait: float = min(LONGEST, FIRST * 2 ** (self.failures - 1))
        return self.last_failure + wait


def finished_at(pod: Object) -> float:
    """When a pod ended: its last container, or else when it became unready, was deleted, or was created."""
    meta, status = pod["metadata"], pod.get("status", {})
    states = [container.get("state", {}) for container in status.get("containerStatuses", [])]
    if states and all("terminated" in state for state in states):
        return max(epoch(state["terminated"]["finishedAt"]) for state in states)
    ready = conditions.find(status, "Ready")
    if ready and ready["status"] == "False":
        return epoch(ready["lastTransitionTime"])
    if "deletionTimestamp" in meta:
        return epoch(meta["deletionTimestamp"]) - float(meta["deletionGracePeriodSeconds"])
    return epoch(meta["creationTimestamp"])
