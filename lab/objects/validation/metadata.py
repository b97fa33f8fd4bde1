"""Names, labels, annotations and owner references (k8s.io/apimachinery/pkg/api/validation/objectmeta.go)."""

from collections.abc import Callable

from lab.apimachinery.resources import RBAC, Resource
from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.fields import Errors

ANNOTATIONS_LIMIT = 256 * 1024

NAMES: dict[str, Callable[[str], str | None]] = {
    "namespaces": fields.dns_label,
    "services": fields.dns_1035_label,
}


def validate(resource: Resource, meta: Object) -> Errors:
    """All of an object's metadata, the name by the rules of its kind."""
    return [
        *_name(resource, meta["name"]),
        *labels(meta.get("labels", {}), "metadata.labels"),
        *_annotations(meta.get("annotations", {})),
        *(error for reference in meta.get("ownerReferences", []) for error in _owner(reference)),
        *(
            fields.invalid("metadata.finalizers", finalizer, wrong)
            for finalizer in meta.get("finalizers", [])
            if (wrong := fields.qualified_name(finalizer))
        ),
    ]


def validate_update(meta: Object, old: Object) -> Errors:
    """What is being deleted takes no new finalizers."""
    new = [finalizer for finalizer in meta.get("finalizers", []) if finalizer not in old.get("finalizers", [])]
    if not new or "deletionTimestamp" not in old:
        return []
    say = f"no new finalizers can be added if the object is being deleted, found new finalizers {new}"
    return [fields.forbidden("metadata.finalizers", say)]


def labels(found: dict[str, str], path: str) -> Errors:
    """Keys and values of labels, or of a selector that stands for labels."""
    keys = [fields.invalid(path, key, wrong) for key in found if (wrong := fields.qualified_name(key))]
    values = [fields.invalid(path, value, wrong) for value in found.values() if (wrong := fields.label_value(value))]
    return keys + values


def selector(found: Object, path: str) -> Errors:
    """A LabelSelector."""
    errors = labels(found.get("matchLabels", {}), f"{path}.matchLabels")
    for i, expression in enumerate(found.get("matchExpressions", [])):
        at = f"{path}.matchExpressions[{i}]"
        operator, values = expression["operator"], expression.get("values")
        if operator in ("In", "NotIn") and not values:
            errors.append(fields.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            say = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(fields.forbidden(f"{at}.values", say))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(fields.invalid(f"{at}.operator", operator, "not a valid selector operator"))
        if wrong := fields.qualified_name(expression["key"]):
            errors.append(fields.invalid(f"{at}.key", expression["key"], wrong))
    return errors


def _name(resource: Resource, name: str) -> Errors:
    default = fields.path_segment if resource.group_version == RBAC else fields.dns_subdomain
    wrong = NAMES.get(resource.plural, default)(name)
    return [fields.invalid("metadata.name", name, wrong)] if wrong else []


def _annotations(found: dict[str, str]) -> Errors:
    # Unlike labels' keys, these are compared without regard to case.
    errors = [
        fields.invalid("metadata.annotations", key, wrong)
        for key in found
        if (wrong := fields.qualified_name(key.lower()))
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in found.items())
    if size > ANNOTATIONS_LIMIT:
        say = f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        errors.append(fields.FieldError("FieldValueTooLong", "metadata.annotations", say))
    return errors


def _owner(reference: Object) -> Errors:
    path = "metadata.ownerReferences"
    return [
        fields.invalid(f"{path}.{field}", "", "must not be empty")
        for field in ("apiVersion", "kind", "name", "uid")
        if not reference.get(field)
    ]
