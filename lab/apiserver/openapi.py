"""OpenAPI v3: enough for kubectl to see that the server validates fields and knows dry runs, and for `kubectl explain`.

Stands for k8s.io/kube-openapi. A document of a group has the schemas of its kinds as Kubernetes publishes them, and of
its operations only GET and PATCH of one object, by which kubectl finds a kind.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.schemas import Schema, kinds, raw, without_null
from lab.apimachinery.store import Object
from lab.apimachinery.version import KUBERNETES

PREFIX = "#/$defs/"
V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
PATCH_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def index() -> Object:
    """Which documents there are, with a hash each, by which clients cache them."""
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(path)}"} for path in _paths()}}


@cache
def document(path: str) -> bytes | None:
    """The document of a group and version (`api/v1`, `apis/apps/v1`), or None."""
    group_version = _paths().get(path)
    if group_version is None:
        return None
    resources = [resource for resource in RESOURCES.values() if resource.group_version == group_version]
    definitions = raw(without_null)
    names = kinds(definitions)
    roots = [names[resource.group, resource.version, resource.kind] for resource in resources]
    schemas = {name: _translated(definitions[name]) for name in _reachable(roots, definitions)}
    found = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{KUBERNETES}.0"},
        "paths": {_object_path(path, resource): _operations(resource) for resource in resources},
        "components": {"schemas": schemas},
    }
    return json.dumps(found).encode()


def _paths() -> dict[str, str]:
    versions = dict.fromkeys(resource.group_version for resource in RESOURCES.values())
    return {f"apis/{version}" if "/" in version else f"api/{version}": version for version in versions}


def _hash(path: str) -> str:
    """Documents change with the version and with the kinds of the lab."""
    return hashlib.sha256(f"{KUBERNETES} {path} {sorted(RESOURCES)}".encode()).hexdigest()


def _object_path(path: str, resource: Resource) -> str:
    namespace = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"/{path}{namespace}/{resource.plural}/{{name}}"


def _operations(resource: Resource) -> Object:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in PATCH_PARAMETERS]
    responses = {"200": {"description": "OK"}}
    return {
        "get": {"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": kind, "responses": responses},
        "patch": {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": kind,
            "parameters": parameters,
            "responses": responses,
        },
    }


def _reachable(names: Iterable[str], definitions: dict[str, Schema]) -> list[str]:
    """These definitions and all that they refer to."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += _references(definitions[name])
    return sorted(found)


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].removeprefix(PREFIX)] if isinstance(value.get("$ref"), str) else []
    return own + [name for child in value.values() for name in _references(child)]


def _translated(value: Any) -> Any:
    """From JSON schema to OpenAPI v3, where nothing may stand beside a reference."""
    if isinstance(value, list):
        return [_translated(item) for item in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("$ref"), str):
        return {key: _translated(child) for key, child in value.items()}
    reference = {"$ref": "#/components/schemas/" + value["$ref"].removeprefix(PREFIX)}
    rest = {key: child for key, child in value.items() if key != "$ref"}
    return rest | {"allOf": [reference]} if rest else reference
