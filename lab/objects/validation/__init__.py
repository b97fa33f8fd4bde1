"""Whether an object is a good one of its kind, beyond the types of its fields, which decoding has checked.

Stands for the validation of k8s.io/kubernetes/pkg/apis, of which it has the rules that users run into: same field, same
reason, in words of its own. The rules are held against the types in an object's schema, wherever these stand in it.
"""

import re

from lab.apimachinery.resources import RBAC, Resource
from lab.apimachinery.schemas import Schema, schema_of, structs
from lab.apimachinery.store import Object
from lab.objects.validation import checks, fields, rules, updates
from lab.objects.validation.fields import Errors

# Kubernetes leaves out where in these lists an item stands.
UNNUMBERED = re.compile(r"(?<=\.volumeMounts)\[\d+\](?=\.subPath)|(?<=\.downwardAPI)\.items\[\d+\]")


def validate(resource: Resource, obj: Object, old: Object | None = None) -> None:
    """Check an object that has its defaults; `old` is what it replaces. Raises errors.Invalid."""
    schema = schema_of(resource)
    form = fields.PATH_SEGMENT if resource.group_version == RBAC else fields.DNS_SUBDOMAIN
    found = fields.formed(rules.NAMES.get(resource.plural, form))("metadata.name", obj["metadata"]["name"])
    found += _missing(obj, schema, "") or _wrong(obj, schema)  # the other checks rely on the required fields
    if old is not None and not found:
        found = updates.metadata(obj["metadata"], old["metadata"])
        found += updates.KINDS[resource.plural](obj, old) if resource.plural in updates.KINDS else []
    if found:
        raise fields.as_error(resource, obj["metadata"]["name"], found)


def validate_status(resource: Resource, obj: Object) -> None:
    """Check a status that a client writes. Raises errors.Invalid."""
    if found := _missing(obj.get("status", {}), schema_of(resource)["properties"].get("status", {}), "status"):
        raise fields.as_error(resource, obj["metadata"]["name"], found)


def _missing(value: Object, schema: Schema, path: str) -> Errors:
    """The required fields that aren't there."""
    return [
        fields.required(f"{at}{name}")
        for struct, of, at in structs(value, schema, path)
        for name in of.get("required", [])
        if name not in struct and not at.startswith("metadata.")  # those of an owner are checked with the metadata
    ]


def _wrong(obj: Object, schema: Schema) -> Errors:
    """What breaks the rules of the types in it."""
    found: Errors = []
    for struct, of, at in structs(obj, schema):
        kind = of.get("title", "")
        found += checks.TYPES[kind](struct, at) if kind in checks.TYPES else []
        for key, rule in rules.FIELDS.get(kind, {}).items():
            found += rule(UNNUMBERED.sub("", f"{at}{key}"), struct[key]) if key in struct else []
    return found
