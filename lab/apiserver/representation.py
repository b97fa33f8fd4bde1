"""How an answer is to look: the object itself, or a row of a table, which is what `kubectl get` asks for in `Accept`.

Stands for content negotiation in k8s.io/apiserver/pkg/endpoints/handlers, and for meta.k8s.io/v1 Table. JSON is all
that the lab writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.apimachinery.errors import NotAcceptable
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.apiserver.printers import cells, columns

META = "meta.k8s.io/v1"


@dataclass(frozen=True)
class Representation:
    """`table`, or as it is; `whole`: the rows of a table come with all of their objects, not their metadata alone."""

    table: bool
    whole: bool = False

    @classmethod
    def negotiate(cls, accept: str, include: str) -> "Representation":
        """The first of the acceptable types that the lab can write. Raises errors.NotAcceptable."""
        for clause in accept.split(",") if accept else ["*/*"]:
            media_type, *parameters = (part.strip() for part in clause.split(";"))
            wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
            if media_type not in ("application/json", "application/*", "*/*"):
                continue
            if "as" not in wanted:
                return cls(table=False)
            if (wanted["as"], f"{wanted.get('g')}/{wanted.get('v')}") == ("Table", META):
                return cls(table=True, whole=include == "Object")
        raise NotAcceptable("only the following media types are accepted: application/json")

    def one(self, resource: Resource, obj: Object, *, headers: bool = True) -> Object:
        """A single object."""
        if not self.table:
            return obj
        return self._table(
            resource, [obj], {"resourceVersion": obj["metadata"].get("resourceVersion", "")}, headers=headers
        )

    def many(self, resource: Resource, objects: Iterable[Object], meta: Object) -> Object:
        """A list, with the metadata of the list."""
        if self.table:
            return self._table(resource, objects, meta)
        # The items of a list don't repeat its type.
        items = [{key: obj[key] for key in obj if key not in ("kind", "apiVersion")} for obj in objects]
        return {"kind": f"{resource.kind}List", "apiVersion": resource.group_version, "metadata": meta, "items": items}

    def _table(self, resource: Resource, objects: Iterable[Object], meta: Object, *, headers: bool = True) -> Object:
        definitions = [
            {"name": name, "type": "string", "format": "name" if name == "Name" else "", "priority": int(wide)}
            | {"description": ""}
            for name, wide in columns(resource.plural)
        ]
        rows = [{"cells": cells(resource.plural, obj), "object": self._of_row(obj)} for obj in objects]
        about = {"kind": "Table", "apiVersion": META, "metadata": meta}
        return about | {"columnDefinitions": definitions if headers else None, "rows": rows}

    def _of_row(self, obj: Object) -> Object:
        partial = {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj["metadata"]}
        return obj if self.whole else partial
