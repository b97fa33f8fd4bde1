"""The ConfigMap of this name, watched: its data as it is, then after each change."""

from collections.abc import AsyncGenerator, Iterable, Mapping

from endpoint_watch import Api
from endpoint_watch.endpoints import Object
from endpoint_watch.reflector import Kind, reflect


def watch(api: Api, name: str, namespace: str) -> AsyncGenerator[Mapping[str, str], None]:
    """Empty where it isn't there. As `endpoint_watch.watch`, it tries for ever, and raises nothing."""
    kind = Kind(
        name=f"ConfigMap {name}",
        resource=f"configmaps, of the name {name}",
        path=f"/api/v1/namespaces/{namespace}/configmaps",
        selector={"fieldSelector": f"metadata.name={name}"},  # a Role may allow one by its name so
    )
    return reflect(api, kind, _Mirror())


class _Mirror:
    def listed(self, objects: list[Object]) -> Iterable[Mapping[str, str]]:
        return [dict(objects[0].get("data") or {})] if objects else [{}]

    def changed(self, obj: Object, *, deleted: bool) -> Iterable[Mapping[str, str]]:
        return [{} if deleted else dict(obj.get("data") or {})]

    def contact(self, *, there: bool) -> Iterable[Mapping[str, str]]:
        return []
