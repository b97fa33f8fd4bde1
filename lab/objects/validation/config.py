"""ConfigMaps and Secrets, and the references of role bindings (k8s.io/kubernetes/pkg/apis/core and rbac)."""

from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.fields import Errors

LIMIT = 1024 * 1024


def validate_config(obj: Object) -> Errors:
    """A ConfigMap or a Secret."""
    data, binary = obj.get("data", {}), obj.get("binaryData", {})
    errors = [
        fields.invalid(f"{field}[{key}]", key, wrong)
        for field in ("data", "binaryData")
        for key in obj.get(field, {})
        if (wrong := fields.config_key(key))
    ]
    errors += [
        fields.invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in data if key in binary
    ]
    if sum(len(value.encode()) for value in (*data.values(), *binary.values())) > LIMIT:
        field = "data" if obj["kind"] == "Secret" else ""
        errors.append(fields.FieldError("FieldValueTooLong", field, f"Too long: may not be more than {LIMIT} bytes"))
    return errors


def validate_config_update(obj: Object, old: Object) -> Errors:
    """What is marked as immutable can't change, nor can the type of a Secret."""
    errors: Errors = []
    if obj.get("type") != old.get("type"):
        errors.append(fields.invalid("type", obj.get("type"), "field is immutable"))
    if old.get("immutable"):
        say = "field is immutable when `immutable` is set"
        errors += [
            fields.forbidden(field, say)
            for field in ("immutable", "data", "binaryData")
            if obj.get(field) != old.get(field)
        ]
    return errors


def validate_role_binding_update(obj: Object, old: Object) -> Errors:
    if obj["roleRef"] == old["roleRef"]:
        return []
    return [fields.invalid("roleRef", obj["roleRef"], "cannot change roleRef")]
