"""Whether an object is a good one of its kind, beyond the types of its fields, which decoding has checked.

Stands for the validation of k8s.io/kubernetes/pkg/apis, of which it has the rules that users run into, in
Kubernetes' own words.
"""

from collections.abc import Callable

from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object
from lab.objects.validation import config, fields, metadata, network, pods, workloads
from lab.objects.validation.fields import Errors

CREATE: dict[str, Callable[[Object], Errors]] = {
    "pods": pods.validate,
    "deployments": workloads.validate_deployment,
    "replicasets": workloads.validate_replicaset,
    "jobs": workloads.validate_job,
    "poddisruptionbudgets": workloads.validate_pdb,
    "services": network.validate_service,
    "endpointslices": network.validate_endpointslice,
    "configmaps": config.validate_config,
    "secrets": config.validate_config,
}
UPDATE: dict[str, Callable[[Object, Object], Errors]] = {
    "pods": pods.validate_update,
    "deployments": workloads.validate_selector_update,
    "replicasets": workloads.validate_selector_update,
    "jobs": workloads.validate_job_update,
    "services": network.validate_service_update,
    "endpointslices": network.validate_endpointslice_update,
    "configmaps": config.validate_config_update,
    "secrets": config.validate_config_update,
    "rolebindings": config.validate_role_binding_update,
    "clusterrolebindings": config.validate_role_binding_update,
}


def validate(resource: Resource, obj: Object, old: Object | None = None) -> None:
    """Check an object that has its defaults; `old` is what it replaces. Raises errors.Invalid."""
    found = metadata.validate(resource, obj["metadata"])
    if old is not None:
        found += metadata.validate_update(obj["metadata"], old["metadata"])
    missing = _missing(obj, schema_of(resource), "")
    if missing:
        found += missing  # the checks below rely on these fields
    else:
        found += CREATE.get(resource.plural, _nothing)(obj)
        if old is not None and resource.plural in UPDATE:
            found += UPDATE[resource.plural](obj, old)
    if found:
        raise fields.as_error(resource, obj["metadata"]["name"], found)


def validate_status(resource: Resource, obj: Object) -> None:
    """Check a status that a client writes. Raises errors.Invalid."""
    if found := _missing(obj.get("status", {}), schema_of(resource)["properties"].get("status", {}), "status"):
        raise fields.as_error(resource, obj["metadata"]["name"], found)


def _nothing(_: Object) -> Errors:
    return []


def _missing(value: object, schema: Schema, path: str) -> Errors:
    """The required fields that aren't there, but for those of the status, which components write."""
    if isinstance(value, list):
        return [e for i, item in enumerate(value) for e in _missing(item, schema["items"], f"{path}[{i}]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    dot = f"{path}." if path else ""
    found = [fields.required(f"{dot}{name}") for name in schema.get("required", []) if name not in value]
    for key, child in value.items():
        if dot + key not in ("status", "metadata"):
            found += _missing(child, schema["properties"][key], f"{dot}{key}")
    return found
