"""Lists and single objects as a Table, which is what `kubectl get` asks for (meta.k8s.io/v1 Table)."""

from collections.abc import Iterable
from typing import Any

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.apiserver.printers import cells, columns

API_VERSION = "meta.k8s.io/v1"


def table(
    resource: Resource, objects: Iterable[Object], meta: Object, include: str = "Metadata", *, headers: bool = True
) -> Object:
    """`include` is what of each object comes along: Metadata, Object or None."""
    found: Object = {"kind": "Table", "apiVersion": API_VERSION, "metadata": meta}
    found["columnDefinitions"] = _definitions(resource) if headers else None
    found["rows"] = [{"cells": cells(resource.plural, obj)} | _object(obj, include) for obj in objects]
    return found


def partial_metadata(obj: Object) -> Object:
    """An object of which only the metadata is wanted."""
    return {"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": obj["metadata"]}


def _definitions(resource: Resource) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": int(wide),
        }
        for name, wide in columns(resource.plural)
    ]


def _object(obj: Object, include: str) -> Object:
    match include:
        case "None":
            return {}
        case "Object":
            return {"object": obj}
    return {"object": partial_metadata(obj)}
