"""Whether an object is a good one of its kind, beyond the types of its fields, which decoding has checked.

Stands for the validation of k8s.io/kubernetes/pkg/apis, of which it has the rules that users run into: same field, same
reason, in words of its own. The rules are held against the types in an object's schema, wherever these stand in it.
"""

import re
from typing import Any

from lab.apimachinery.resources import RBAC, Resource
from lab.apimachinery.schemas import Schema, schema_of, structs
from lab.apimachinery.store import Object
from lab.objects.validation import checks, fields, rules, updates
from lab.objects.validation.fields import Errors

# Kubernetes leaves out where in these lists an item stands.
UNNUMBERED = re.compile(
    r"(?<=\.volumeMounts)\[\d+\](?=\.(subPath|mountPropagation))|(?<=\.downwardAPI)\.items\[\d+\]"
    r"|(?<=\.ownerReferences)\[\d+\]"
)
ZERO: dict[str, Any] = {"string": "", "integer": 0, "array": []}


def validate(resource: Resource, obj: Object, old: Object | None = None) -> None:
    """Check an object that has its defaults; `old` is what it replaces. Raises errors.Invalid."""
    schema = schema_of(resource)
    form = fields.PATH_SEGMENT if resource.group_version == RBAC else fields.DNS_SUBDOMAIN
    found = fields.formed(rules.NAMES.get(resource.plural, form))("metadata.name", obj["metadata"]["name"])
    found += _wrong(obj, schema)
    if old is not None:
        found += updates.metadata(obj["metadata"], old["metadata"])
        found += updates.KINDS[resource.plural](obj, old) if resource.plural in updates.KINDS else []
    if found:
        raise fields.as_error(resource, obj["metadata"]["name"], found)


def validate_status(resource: Resource, obj: Object) -> None:
    """Check a status that a client writes. Raises errors.Invalid."""
    status, schema = obj.get("status", {}), schema_of(resource)["properties"].get("status", {})
    missing = [
        fields.required(at + name)
        for struct, of, at in structs(status, schema, "status")
        for name in _missing(struct, of)
    ]
    if missing:
        raise fields.as_error(resource, obj["metadata"]["name"], missing)


def _missing(struct: Object, schema: Schema) -> list[str]:
    """The required fields that aren't there."""
    also = rules.REQUIRED.get(schema.get("title", ""), ())
    return [name for name in schema.get("required", []) if name not in struct] + [n for n in also if not struct.get(n)]


def _wrong(obj: Object, schema: Schema) -> Errors:
    """What breaks the rules of the types in it. A number or text that is missing is 0 or "" to them, as in Go."""
    found: Errors = []
    for struct, of, at in structs(obj, schema):
        kind = of.get("title", "")
        own = rules.FIELDS.get(kind, {})
        found += checks.TYPES[kind](struct, at) if kind in checks.TYPES else []
        needed = of.get("required", [])
        given = {key: value for key, value in struct.items() if key in own and (value != "" or key in needed)}
        for key in _missing(struct, of):
            zero = ZERO.get(of["properties"][key].get("type", "string"))
            if key in own and zero is not None:
                given[key] = zero
            elif f"{at}{key}" not in [error.field for error in found]:
                found.append(fields.required(UNNUMBERED.sub("", f"{at}{key}")))
        for key, value in given.items():
            found += own[key](UNNUMBERED.sub("", f"{at}{key}"), value)
    return found
