"""What the API server says of itself: its version, and which resources it has.

Stands for k8s.io/apiserver/pkg/endpoints/discovery/aggregated (KEP-3352): all groups in one document, which kubectl has
asked for since 1.26. The documents of old, one for each group, are not there.
"""

from collections.abc import Iterable

from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.schemas import GIT_VERSION, KUBERNETES
from lab.apimachinery.store import Object
from lab.apiserver.reviews import REVIEWS

CONTENT_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCE_VERBS = ("get", "patch", "update")
MAJOR, MINOR = KUBERNETES.split(".")

VERSION: Object = {
    "major": MAJOR,
    "minor": MINOR,
    "gitVersion": GIT_VERSION,
}


def document(path: str) -> Object | None:
    """The answer to a GET of /api, which has the core group, and of /apis, which has the others; None for all else."""
    resources = (*RESOURCES.values(), *REVIEWS.values())
    groups = dict.fromkeys(resource.group for resource in resources if (path == "/apis") == bool(resource.group))
    if path not in ("/api", "/apis"):
        return None
    items = [_group(group, [r for r in resources if r.group == group]) for group in groups]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


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
