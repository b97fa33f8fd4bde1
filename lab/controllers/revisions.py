"""The revisions of a Deployment: its ReplicaSets, one a pod template, numbered in the order in which they were used.

Source: k8s.io/kubernetes/pkg/controller/deployment/util and sync.go. `kubectl rollout history` and `undo` read these
annotations and labels. The hash is one of our own: Kubernetes' is over Go's memory layout, which only Go can repeat.
"""

import copy
import json
import zlib

from lab.apimachinery.ownership import controller_reference
from lab.apimachinery.store import Object, Store
from lab.controllers.rollout import new_size

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_COPIED = {LAST_APPLIED, REVISION, HISTORY}
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' choice: no vowels, no words


def same_template(one: Object, other: Object) -> bool:
    """Whether two pod templates mean the same; the hash label and fields without content don't count."""
    return _content(one) == _content(other)


def _content(template: Object) -> object:
    template = copy.deepcopy(template)
    template["metadata"].get("labels", {}).pop(HASH_LABEL, None)
    return _pruned(template)


def _pruned(value: object) -> object:
    if isinstance(value, dict):
        pruned = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, {}, [])}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def template_hash(deployment: Object) -> str:
    """The hash that names its template's ReplicaSet; that of an earlier Deployment of this name may still be there."""
    text = json.dumps(_content(deployment["spec"]["template"]), sort_keys=True) + deployment["metadata"]["uid"]
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(zlib.crc32(text.encode())))


def by_age(replica_sets: list[Object]) -> list[Object]:
    """Oldest first."""
    return sorted(replica_sets, key=lambda rs: (rs["metadata"]["creationTimestamp"], rs["metadata"]["name"]))


def revision(obj: Object) -> int:
    """Its revision, 0 where it has none."""
    return int(obj["metadata"].get("annotations", {}).get(REVISION, 0))


def find_new(deployment: Object, replica_sets: list[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's template as it is now."""
    template = deployment["spec"]["template"]
    return next((rs for rs in by_age(replica_sets) if same_template(rs["spec"]["template"], template)), None)


def update_new(store: Store, deployment: Object, new: Object, old: list[Object]) -> Object:
    """Number the existing new ReplicaSet as the latest and let it follow the Deployment's annotations."""
    _annotate(deployment, new, old)
    new["spec"]["minReadySeconds"] = deployment["spec"].get("minReadySeconds", 0)
    return store.update("replicasets", new)


def _annotate(deployment: Object, new: Object, old: list[Object]) -> None:
    annotations = new["metadata"].setdefault("annotations", {})
    ours = deployment["metadata"].get("annotations", {})
    annotations |= {key: value for key, value in ours.items() if key not in NOT_COPIED}
    latest = max(map(revision, old), default=0) + 1
    if (before := revision(new)) < latest:
        annotations[REVISION] = str(latest)
        if before:
            annotations[HISTORY] = ",".join(filter(None, [annotations.get(HISTORY), str(before)]))


def create_new(store: Store, deployment: Object, old: list[Object]) -> Object:
    """Create the ReplicaSet of the Deployment's template."""
    meta, spec = deployment["metadata"], deployment["spec"]
    template = copy.deepcopy(spec["template"])
    hashed = template_hash(deployment)
    labels = template["metadata"].get("labels", {}) | {HASH_LABEL: hashed}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = selector.get("matchLabels", {}) | {HASH_LABEL: hashed}
    new: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "namespace": meta["namespace"],
            "name": f"{meta['name']}-{hashed}",
            "labels": labels,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": new_size(deployment, old, 0),
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }
    _annotate(deployment, new, old)
    return store.create("replicasets", new)


def clean_up(store: Store, deployment: Object, old: list[Object]) -> None:
    """Delete the oldest revisions without pods that are over the revisionHistoryLimit."""
    living = [rs for rs in old if "deletionTimestamp" not in rs["metadata"]]
    surplus = len(living) - deployment["spec"].get("revisionHistoryLimit", 10)
    for rs in sorted(by_age(living), key=revision)[: max(0, surplus)]:
        status = rs.get("status", {})
        settled = status.get("observedGeneration", 0) >= rs["metadata"]["generation"]
        if settled and not rs["spec"]["replicas"] and not status.get("replicas"):
            store.delete("replicasets", rs["metadata"]["namespace"], rs["metadata"]["name"])
