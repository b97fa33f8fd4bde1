"""The Deployment controller: rolls from one ReplicaSet to the next, step by step.

Source: k8s.io/kubernetes/pkg/controller/deployment. Each call takes one step, as there: scale up, or else scale down;
the ReplicaSets' statuses then make the next call.
"""

from lab.apimachinery import events
from lab.apimachinery.ownership import claim, controller_of
from lab.apimachinery.podstate import is_terminal
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control
from lab.controllers import revisions, rollout

COMPONENT = "deployment-controller"


async def run(store: Store) -> None:
    """Roll out every Deployment, until cancelled."""

    def keys(event: Event) -> list[Key]:
        meta = event.object["metadata"]
        if event.resource == "deployments":
            return [(meta["namespace"], meta["name"])]
        if event.resource == "pods" and event.type != "DELETED":
            return []  # told by its ReplicaSet's status; but Recreate waits for the last pod's end
        owner = controller_of(event.object)
        if owner and owner["kind"] == "ReplicaSet":
            replica_set = store.find("replicasets", meta["namespace"], owner["name"])
            owner = controller_of(replica_set) if replica_set else None
        if owner and owner["kind"] == "Deployment":
            return [(meta["namespace"], owner["name"])]
        return [(meta["namespace"], d["metadata"]["name"]) for d in store.list("deployments", meta["namespace"])]

    await control(store, ["deployments", "replicasets", "pods"], keys, lambda key: reconcile(store, key))


def reconcile(store: Store, key: Key) -> float | None:
    """Take one step of a Deployment's rollout and write its status."""
    deployment = store.find("deployments", *key)
    return Rollout(store, deployment).step() if deployment else None


class Rollout:
    """One step of one Deployment."""

    def __init__(self, store: Store, deployment: Object) -> None:
        self.store = store
        self.deployment = deployment
        self.replicas: int = deployment["spec"]["replicas"]
        self.namespace: str = deployment["metadata"]["namespace"]
        self.status: Object = deployment.setdefault("status", {})
        sets = claim(store, deployment, store.list("replicasets", self.namespace))
        self.new = revisions.find_new(deployment, sets)
        self.old = [rs for rs in revisions.by_age(sets) if rs is not self.new]

    def step(self) -> float | None:
        """Take it; return the seconds until progress must be judged again."""
        if "deletionTimestamp" in self.deployment["metadata"]:
            return self._write_status(judge=False)
        if self.new:
            self._update_new(self.new)
        if self.deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate()
        else:
            self._roll()
        if rollout.is_complete(self.deployment, self.status):
            revisions.clean_up(self.store, self.deployment, self.old)
        return self._write_status(judge=True)

    def _roll(self) -> None:
        new = self.new or self._create_new()
        if self._scale(new, rollout.new_size(self.deployment, [*self.old, new], new["spec"]["replicas"])):
            return
        active = [rs for rs in self.old if rs["spec"]["replicas"]]
        sizes = rollout.old_sizes(self.deployment, active, new)
        for rs in active:
            if (size := sizes.get(rs["metadata"]["name"])) is not None:
                self._scale(rs, size)

    def _recreate(self) -> None:
        scaled = [self._scale(rs, 0) for rs in self.old if rs["spec"]["replicas"]]
        if not any(scaled) and not self._old_pods_run():
            self._scale(self.new or self._create_new(), self.replicas)

    def _old_pods_run(self) -> bool:
        uids = {rs["metadata"]["uid"] for rs in self.old}
        pods = self.store.list("pods", self.namespace)
        return any((o := controller_of(pod)) and o["uid"] in uids and not is_terminal(pod) for pod in pods)

    def _update_new(self, new: Object) -> None:
        self.new = revisions.update_new(self.store, self.deployment, new, self.old)
        self._set_revision(self.new)

    def _create_new(self) -> Object:
        self.new = revisions.create_new(self.store, self.deployment, self.old)
        self._set_revision(self.new)
        name, size = self.new["metadata"]["name"], self.new["spec"]["replicas"]
        if size:
            self._record(f"Scaled up replica set {name} from 0 to {size}")
        message = f'Created new replica set "{name}"'
        rollout.set_condition(self.status, "Progressing", "True", "NewReplicaSetCreated", message)
        return self.new

    def _set_revision(self, new: Object) -> None:
        meta = self.deployment["metadata"]
        number = new["metadata"]["annotations"][revisions.REVISION]
        if meta.get("annotations", {}).get(revisions.REVISION) != number:
            meta.setdefault("annotations", {})[revisions.REVISION] = number
            updated = self.store.update("deployments", self.deployment)
            meta["resourceVersion"] = updated["metadata"]["resourceVersion"]

    def _scale(self, rs: Object, size: int) -> bool:
        """Give a ReplicaSet this size; return whether it changed."""
        before, name = rs["spec"]["replicas"], rs["metadata"]["name"]
        if size == before:
            return False
        rs["spec"]["replicas"] = size
        rs["metadata"]["resourceVersion"] = self.store.update("replicasets", rs)["metadata"]["resourceVersion"]
        self._record(f"Scaled {'up' if size > before else 'down'} replica set {name} from {before} to {size}")
        return True

    def _record(self, message: str) -> None:
        events.record(self.store, self.deployment, "Normal", "ScalingReplicaSet", message, COMPONENT)

    def _write_status(self, *, judge: bool) -> float | None:
        status = rollout.count(self.deployment, self.status, self.new, self.old)
        if judge:
            rollout.judge_progress(self.deployment, self.status, status, self.new)
        self.deployment["status"] = status
        self.store.update("deployments", self.deployment, subresource="status")
        return rollout.deadline_in(self.deployment, status)
