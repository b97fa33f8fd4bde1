"""Pods and pod templates (k8s.io/kubernetes/pkg/apis/core/validation)."""

import copy

from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.containers import CONTAINER, SIDECAR, SIMPLE_INIT, validate_container
from lab.objects.validation.fields import Errors
from lab.objects.validation.volumes import validate_volumes

POLICIES = {
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
}
UPDATES = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate(pod: Object) -> Errors:
    return validate_spec(pod["spec"], "spec")


def validate_spec(spec: Object, path: str) -> Errors:
    """The spec of a pod or of a template, which has its defaults and required fields."""
    errors = [
        fields.unsupported(f"{path}.{field}", spec[field], supported)
        for field, supported in POLICIES.items()
        if spec[field] not in supported
    ]
    volumes = spec.get("volumes", [])
    errors += validate_volumes(volumes, f"{path}.volumes")
    names = {volume["name"] for volume in volumes}
    grace = spec["terminationGracePeriodSeconds"]
    containers = spec["containers"]
    if not containers:
        errors.append(fields.required(f"{path}.containers"))
    for i, container in enumerate(containers):
        errors += validate_container(container, f"{path}.containers[{i}]", CONTAINER, names, grace)
    for i, container in enumerate(spec.get("initContainers", [])):
        role = SIDECAR if container.get("restartPolicy") == "Always" else SIMPLE_INIT
        errors += validate_container(container, f"{path}.initContainers[{i}]", role, names, grace)
    return errors + _duplicate_names(spec, path)


def validate_update(pod: Object, old: Object) -> Errors:
    """What of a pod can't change."""
    for field in ("containers", "initContainers"):
        if len(pod["spec"].get(field, [])) != len(old["spec"].get(field, [])):
            return [fields.forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    return [] if _fixed(pod) == _fixed(old) else [fields.forbidden("spec", UPDATES)]


def _fixed(pod: Object) -> Object:
    spec = copy.deepcopy(pod["spec"])
    for field in ("activeDeadlineSeconds", "tolerations"):
        spec.pop(field, None)
    for container in spec["containers"] + spec.get("initContainers", []):
        container.pop("image", None)
    return spec  # type: ignore[no-any-return]


def _duplicate_names(spec: Object, path: str) -> Errors:
    """Containers and init containers share one space of names."""
    errors: Errors = []
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(field, [])):
            if container["name"] in seen:
                errors.append(fields.duplicate(f"{path}.{field}[{i}].name", container["name"]))
            seen.add(container["name"])
    return errors
