"""How an answer is to look: the object itself, its metadata alone, or a row of a table, as `Accept` asks.

Stands for content negotiation in k8s.io/apiserver/pkg/endpoints/handlers. JSON is all that the lab writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.apimachinery.errors import NotAcceptable
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.apiserver.tables import API_VERSION, partial_metadata, table

PARTIAL, PARTIAL_LIST = "PartialObjectMetadata", "PartialObjectMetadataList"


@dataclass(frozen=True)
class Representation:
    """`kind` is "" for the object itself, "Table" or "PartialObjectMetadata"; `include` is for tables."""

    kind: str
    include: str

    @classmethod
    def negotiate(cls, accept: str, include: str) -> "Representation":
        """The first of the acceptable types that the lab can write. Raises errors.NotAcceptable."""
        for clause in accept.split(",") if accept else ["*/*"]:
            media_type, *parameters = (part.strip() for part in clause.split(";"))
            wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
            if media_type not in ("application/json", "application/*", "*/*"):
                continue
            kind = wanted.get("as", "")
            if not kind:
                return cls("", include)
            if (
                wanted.get("g") == "meta.k8s.io"
                and wanted.get("v") == "v1"
                and kind in ("Table", PARTIAL, PARTIAL_LIST)
            ):
                return cls("Table" if kind == "Table" else PARTIAL, include)
        raise NotAcceptable("only the following media types are accepted: application/json")

    def one(self, resource: Resource, obj: Object, *, headers: bool = True) -> Object:
        """A single object."""
        if self.kind == "Table":
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return table(resource, [obj], meta, self.include, headers=headers)
        return partial_metadata(obj) if self.kind else obj

    def many(self, resource: Resource, objects: Iterable[Object], meta: Object) -> Object:
        """A list, with the metadata of the list."""
        if self.kind == "Table":
            return table(resource, objects, meta, self.include)
        if self.kind:
            items = [partial_metadata(obj) for obj in objects]
            return {"kind": PARTIAL_LIST, "apiVersion": API_VERSION, "metadata": meta, "items": items}
        # The items of a list don't repeat its type.
        items = [{key: obj[key] for key in obj if key not in ("kind", "apiVersion")} for obj in objects]
        return {"kind": f"{resource.kind}List", "apiVersion": resource.group_version, "metadata": meta, "items": items}
