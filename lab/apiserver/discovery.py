"""What the API server says of itself: its version, and which resources it has.

Stands for k8s.io/apiserver/pkg/endpoints/discovery/aggregated (KEP-3352): all groups in one document, which kubectl has
asked for since 1.26; and the list of one version's resources, which simpler clients ask for, `compare` among them.
"""

from collections.abc import Iterable

from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.schemas import GIT_VERSION, KUBERNETES
from lab.apimachinery.store import Object
from lab.apiserver.reviews import REVIEWS

KIND = "APIGroupDiscoveryList"
AGGREGATED = f"application/json;g=apidiscovery.k8s.io;v=v2;as={KIND}"
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCE_VERBS = ("get", "patch", "update")
MAJOR, MINOR = KUBERNETES.split(".")

VERSION: Object = {
    "major": MAJOR,
    "minor": MINOR,
    "gitVersion": GIT_VERSION,
}


def document(path: str) -> Object | None:
    """The answer to a GET of /api, which has the core group, of /apis, which has the others, or of one version below.

    None for what isn't there.
    """
    resources = (*RESOURCES.values(), *REVIEWS.values())
    if found := [r for r in resources if path == f"/api{'s' if r.group else ''}/{r.group_version}"]:
        rows = [row for resource in found for row in _rows(resource)]
        version = found[0].group_version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": rows}
    groups = dict.fromkeys(resource.group for resource in resources if (path == "/apis") == bool(resource.group))
    if path not in ("/api", "/apis"):
        return None
    items = [_group(group, [r for r in resources if r.group == group]) for group in groups]
    return {"kind": KIND, "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _rows(resource: Resource) -> list[Object]:
    """A resource and its subresources, as the list of a version has them."""
    row = _row(resource)
    own = {key: row[key] for key in ("verbs", "shortNames", "categories") if key in row}
    found: list[Object] = [
        own | {"name": resource.plural, "singularName": row["singularResource"], "kind": resource.kind}
    ]
    for below in _subresources(resource):
        name = f"{resource.plural}/{below['subresource']}"
        found.append({"name": name, "kind": below["responseKind"]["kind"], "verbs": below["verbs"]})
    return [each | {"namespaced": resource.namespaced} for each in found]


def _group(name: str, resources: Iterable[Resource]) -> Object:
    by_version: dict[str, list[Object]] = {}
    for resource in resources:
        by_version.setdefault(resource.version, []).append(_row(resource))
    versions = [{"version": v, "freshness": "Current", "resources": rows} for v, rows in by_version.items()]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _row(resource: Resource) -> Object:
    row: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.kind.lower(),
        "verbs": ["create"] if resource.plural in REVIEWS else list(VERBS),
    }
    row |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
    row |= {"categories": list(resource.categories)} if resource.categories else {}
    row |= {"subresources": below} if (below := _subresources(resource)) else {}
    return row


def _subresources(resource: Resource) -> list[Object]:
    found: list[tuple[str, tuple[str, ...], tuple[str, str, str]]] = []
    if resource.status:
        found.append(("status", SUBRESOURCE_VERBS, (resource.group, resource.version, resource.kind)))
    if resource.scale:
        found.append(("scale", SUBRESOURCE_VERBS, ("autoscaling", "v1", "Scale")))
    if resource.plural == "pods":
        found.append(("log", ("get",), ("", "v1", "Pod")))
    return [
        {
            "subresource": name,
            "verbs": list(verbs),
            "responseKind": dict(zip(("group", "version", "kind"), kind, strict=True)),
        }
        for name, verbs, kind in found
    ]
