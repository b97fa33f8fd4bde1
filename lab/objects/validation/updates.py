"""What of an object can't change once it is there."""

import copy
from collections.abc import Callable

from lab.apimachinery.store import Object
from lab.objects.validation.fields import Errors, forbidden, invalid


def metadata(meta: Object, old: Object) -> Errors:
    """What is being deleted takes no new finalizers."""
    new = [finalizer for finalizer in meta.get("finalizers", []) if finalizer not in old.get("finalizers", [])]
    if not new or "deletionTimestamp" not in old:
        return []
    say = f"no new finalizers can be added if the object is being deleted, found new finalizers {new}"
    return [forbidden("metadata.finalizers", say)]


def _fixed(*paths: str) -> Callable[[Object, Object], Errors]:
    """These fields stay as they are."""

    def of(obj: Object, path: str) -> object:
        for key in path.split("."):
            obj = obj.get(key, {})
        return obj

    return lambda new, old: [
        invalid(path, of(new, path), "field is immutable") for path in paths if of(new, path) != of(old, path)
    ]


def _pod(pod: Object, old: Object) -> Errors:
    for field in ("containers", "initContainers"):
        if len(pod["spec"].get(field, [])) != len(old["spec"].get(field, [])):
            return [forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    if any(toleration not in _tolerations(pod) for toleration in _tolerations(old)):
        return [forbidden("spec.tolerations", "tolerations can be added only, or change their `tolerationSeconds`")]
    gates = old["spec"].get("schedulingGates", [])
    for i, gate in enumerate(pod["spec"].get("schedulingGates", [])):
        if gate not in gates:
            return [forbidden(f"spec.schedulingGates[{i}].name", "gates can be taken away only, not added")]
    if _lasting(pod) == _lasting(old):
        return []
    may = "the images of containers, `spec.activeDeadlineSeconds` and `spec.tolerations`"
    return [forbidden("spec", f"pod updates may not change fields other than {may}")]


def _tolerations(pod: Object) -> list[Object]:
    """But for how long."""
    return [t | {"tolerationSeconds": None} for t in pod["spec"].get("tolerations", [])]


def _lasting(pod: Object) -> Object:
    spec: Object = copy.deepcopy(pod["spec"])
    for field in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        spec.pop(field, None)
    for container in spec.get("containers", []) + spec.get("initContainers", []):
        container.pop("image", None)
    return spec


def _service(service: Object, old: Object) -> Errors:
    """A Service keeps its address, but when it becomes or was an ExternalName."""
    new, before = service["spec"], old["spec"]
    if "ExternalName" in (new["type"], before["type"]) or new.get("clusterIP") == before.get("clusterIP"):
        return []
    return [invalid("spec.clusterIPs[0]", [new.get("clusterIP")], "may not change once set")]


def _config(obj: Object, old: Object) -> Errors:
    """What is marked as immutable can't change, nor can the type of a Secret."""
    found = _fixed("type")(obj, old)
    if old.get("immutable"):
        say = "field is immutable when `immutable` is set"
        kept = ("immutable", "data", "binaryData")
        found += [forbidden(field, say) for field in kept if obj.get(field) != old.get(field)]
    return found


KINDS: dict[str, Callable[[Object, Object], Errors]] = {
    "pods": _pod,
    "deployments": _fixed("spec.selector"),
    "replicasets": _fixed("spec.selector"),
    "jobs": _fixed("spec.completions", "spec.selector", "spec.template", "spec.completionMode"),
    "services": _service,
    "endpointslices": _fixed("addressType"),
    "configmaps": _config,
    "secrets": _config,
}
