"""Pods and pod templates (k8s.io/kubernetes/pkg/apis/core/validation)."""

import copy
from collections.abc import Iterable

from lab.api.store import Object
from lab.registry.validation import fields
from lab.registry.validation.containers import CONTAINER, SIDECAR, SIMPLE_INIT, validate_container
from lab.registry.validation.fields import Errors

POLICIES = {
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
}
NAMED_SOURCES = {"configMap": "name", "secret": "secretName"}
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
    errors += _volumes(volumes, f"{path}.volumes")
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


def _volumes(volumes: Iterable[Object], path: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for i, volume in enumerate(volumes):
        at, name = f"{path}[{i}]", volume["name"]
        if not name:
            errors.append(fields.required(f"{at}.name"))
        elif wrong := fields.dns_label(name):
            errors.append(fields.invalid(f"{at}.name", name, wrong))
        elif name in seen:
            errors.append(fields.duplicate(f"{at}.name", name))
        seen.add(name)
        sources = sorted(volume.keys() - {"name"}, key=lambda source: source != "emptyDir")
        errors += [fields.forbidden(f"{at}.{s}", "may not specify more than 1 volume type") for s in sources[1:]]
        for source, key in NAMED_SOURCES.items():
            if source in sources and not volume[source].get(key):
                errors.append(fields.required(f"{at}.{source}.{key}"))
    return errors


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
