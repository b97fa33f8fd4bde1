"""Kubernetes' own JSON schemas: which fields each kind has, of which type, and by which key its lists merge.

They come with the package kubernetes-validate. Only its data is read, when first asked for: importing the package
loads a whole JSON schema validator, whose messages are not Kubernetes' own anyway.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from lab.apimachinery.resources import Resource

KUBERNETES = "1.34"  # the version that the lab stands for
GIT_VERSION = f"v{KUBERNETES}.0-lab"

# A JSON schema, with its references followed: `properties`, `items` and `additionalProperties` hold schemas, and
# `title` is the name of the Go type ("DeploymentSpec") where it has one.
Schema = dict[str, Any]


def raw(hook: Callable[[Schema], Schema]) -> dict[str, Schema]:
    """The definitions as published, read anew each time, each JSON object passed through `hook`."""
    directory = f"kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}.0-local"
    path = Path(str(distribution("kubernetes-validate").locate_file(f"{directory}/_definitions.json")))
    definitions: dict[str, Schema] = json.loads(path.read_text(), object_hook=hook)["$defs"]
    return definitions


def without_null(schema: Schema) -> Schema:
    """Say "string" for ["string", "null"]: null is the same as absent for every field of Kubernetes."""
    if isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    return schema


def kinds(definitions: dict[str, Schema]) -> dict[tuple[str, str, str], str]:
    """The name of the definition of each group, version and kind."""
    return {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, schema in definitions.items()
        for kind in schema.get("x-kubernetes-group-version-kind", [])
    }


@cache
def schema_of(resource: Resource) -> Schema:
    """The schema of a resource's objects."""
    return _by_kind()[resource.group, resource.version, resource.kind]


@cache
def _by_kind() -> dict[tuple[str, str, str], Schema]:
    definitions = raw(_without_prose)
    for name, schema in definitions.items():
        schema["title"] = name.rpartition(".")[2]
    linked = {name: _linked(schema, definitions) for name, schema in definitions.items()}
    return {kind: linked[name] for kind, name in kinds(definitions).items()}


def _linked(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The schema with references replaced by what they name.

    Changes it in place, so that a schema which refers to itself ends in itself.
    """
    if "$ref" in schema:
        name = schema.pop("$ref").rpartition("/")[2]
        return definitions[name] | schema
    for key, property_schema in schema.get("properties", {}).items():
        schema["properties"][key] = _linked(property_schema, definitions)
    for place in ("items", "additionalProperties"):
        if place in schema:
            schema[place] = _linked(schema[place], definitions)
    return schema


def structs(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[dict[str, Any], Schema, str]]:
    """All that has a type with fields, with that type, and how the paths of its fields begin.

    The status of an object is left out, which components write. What is yielded may be changed before going on.
    """
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from structs(item, schema["items"], f"{path}[{i}]")
    elif isinstance(value, dict) and "properties" in schema:
        dot = f"{path}." if path else ""
        yield value, schema, dot
        for key, child in value.items():
            if dot + key != "status":
                yield from structs(child, schema["properties"].get(key, {}), f"{dot}{key}")


def _without_prose(schema: Schema) -> Schema:
    if isinstance(schema.get("description"), str):
        del schema["description"]
    return without_null(schema)
