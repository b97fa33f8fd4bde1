"""OpenAPI v3: enough for kubectl to see that the server validates fields and knows dry runs, and for `kubectl explain`.

Stands for k8s.io/kube-openapi. A document of a group has the schemas of its kinds as Kubernetes publishes them, and of
its operations only GET and PATCH of one object, by which kubectl finds a kind.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache

from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.schemas import KUBERNETES, Schema, kinds, raw, without_null
from lab.apimachinery.store import Object

PREFIX = "#/components/schemas/"
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
    definitions = raw(_translated)
    names = kinds(definitions)
    roots = [names[resource.group, resource.version, resource.kind] for resource in resources]
    schemas = {name: definitions[name] for name in _reachable(roots, definitions)}
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
    common: Object = {"x-kubernetes-group-version-kind": kind, "responses": {"200": {"description": "OK"}}}
    return {
        "get": common | {"x-kubernetes-action": "get"},
        "patch": common | {"x-kubernetes-action": "patch", "parameters": parameters},
    }


def _reachable(names: Iterable[str], definitions: dict[str, Schema]) -> list[str]:
    """These definitions and all that they refer to."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += re.findall(f'"{PREFIX}([^"]+)"', json.dumps(definitions[name]))
    return sorted(found)


def _translated(schema: Schema) -> Schema:
    """From JSON schema to OpenAPI v3, where nothing may stand beside a reference."""
    without_null(schema)
    if isinstance(schema.get("enum"), list):  # of apiVersion and kind, where Kubernetes' own schemas have none
        del schema["enum"]
    if not isinstance(schema.get("$ref"), str):
        return schema
    reference = {"$ref": PREFIX + schema.pop("$ref").rpartition("/")[2]}
    return schema | {"allOf": [reference]} if schema else reference
