"""What the API server does to objects of some kinds when they are written, beyond filling in defaults.

Stands for PrepareForCreate and PrepareForUpdate in k8s.io/kubernetes/pkg/registry/*/*/strategy.go.
"""

import base64
import copy
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.objects import addresses

NAME_LIMIT, SUFFIX = 63, 5
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no words come out
# What a client says about these is not heard.
SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")

STATUS: dict[str, Any] = {
    "deployments": {},
    "replicasets": {"replicas": 0},
    "jobs": {},
    "services": {"loadBalancer": {}},
    "ingresses": {"loadBalancer": {}},
    "namespaces": {"phase": "Active"},
}


def begin_create(resource: Resource, obj: Object) -> None:
    """Before the defaults: name a new object, and drop what only the system may say."""
    meta = obj["metadata"]
    if not meta.get("name") and meta.get("generateName"):
        # Not by `random`, whose numbers a test may fix.
        letters = "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX))
        meta["name"] = meta["generateName"][: NAME_LIMIT - SUFFIX] + letters
    for field in SYSTEM:
        meta.pop(field, None)
    meta["uid"] = str(uuid.uuid4())
    obj.pop("status", None)
    if resource.plural in STATUS:
        obj["status"] = copy.deepcopy(STATUS[resource.plural])


def finish_create(resource: Resource, obj: Object) -> None:
    """After the defaults."""
    _finish(resource, obj)
    if resource.plural == "pods":
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
    if resource.plural == "jobs" and not obj["spec"]["manualSelector"]:
        _generate_selector(obj)


def finish_update(resource: Resource, obj: Object, old: Object) -> None:
    """After the defaults: carry over what a client may leave out."""
    _finish(resource, obj)
    if resource.plural == "services":
        addresses.keep(obj, old)
    if resource.plural == "namespaces":
        obj["spec"] = copy.deepcopy(old["spec"])


def _finish(resource: Resource, obj: Object) -> None:
    if resource.plural == "secrets" and "stringData" in obj:
        texts = obj.pop("stringData")
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        obj["data"] = obj.get("data", {}) | encoded


JOB_LABELS: dict[str, Callable[[Object], str]] = {
    "batch.kubernetes.io/controller-uid": lambda meta: str(meta["uid"]),
    "batch.kubernetes.io/job-name": lambda meta: str(meta["name"]),
    "controller-uid": lambda meta: str(meta["uid"]),
    "job-name": lambda meta: str(meta["name"]),
}


def _generate_selector(job: Object) -> None:
    """Jobs select their pods by a label with their own uid."""
    labels = {key: of(job["metadata"]) for key, of in JOB_LABELS.items()}
    template = job["spec"]["template"]["metadata"]
    template["labels"] = template.get("labels", {}) | labels
    job["metadata"].setdefault("labels", dict(template["labels"]))
    matched = job["spec"].setdefault("selector", {}).setdefault("matchLabels", {})
    matched["batch.kubernetes.io/controller-uid"] = job["metadata"]["uid"]


def qos_class(spec: Object) -> str:
    """The quality of service that a pod's requests and limits ask for."""
    resources = [c.get("resources", {}) for c in spec.get("containers", []) + spec.get("initContainers", [])]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    guaranteed = all(
        set(r.get("limits", {})) >= {"cpu", "memory"} and r.get("requests", r["limits"]) == r["limits"]
        for r in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"
