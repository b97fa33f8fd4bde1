"""What the API server says of itself: its version, and which resources it has.

Stands for k8s.io/apiserver/pkg/endpoints/discovery: the documents of old, and aggregated discovery (KEP-3352), which
kubectl prefers.
"""

import platform
from collections.abc import Iterable

from lab.apimachinery.resources import RESOURCES, Resource
from lab.apimachinery.store import Object
from lab.apimachinery.version import GIT_VERSION, KUBERNETES
from lab.apiserver.reviews import REVIEWS

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCE_VERBS = ("get", "patch", "update")
MAJOR, MINOR = KUBERNETES.split(".")

VERSION: Object = {
    "major": MAJOR,
    "minor": MINOR,
    "gitVersion": GIT_VERSION,
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": platform.python_implementation(),
    "platform": f"{platform.system().lower()}/{platform.machine()}",
}


def document(path: str, host: str, *, aggregated: bool) -> Object | None:
    """The answer to a GET of /api, /apis and what is one or two levels below; None for what isn't there."""
    match path.strip("/").split("/"):
        case ["api"] if aggregated:
            return _aggregated([""])
        case ["apis"] if aggregated:
            return _aggregated(_groups())
        case ["api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in _groups()]}
        case ["apis", group] if group in _groups():
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group)
        case ["api", "v1"]:
            return _resource_list("v1")
        case ["apis", group, version] if _in(f"{group}/{version}"):
            return _resource_list(f"{group}/{version}")
    return None


def paths() -> list[str]:
    """What GET / lists."""
    versions = [f"/apis/{resource.group_version}" for resource in _all() if resource.group]
    fixed = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
    return sorted({*fixed, *versions, *(f"/apis/{group}" for group in _groups())})


def _all() -> Iterable[Resource]:
    return (*RESOURCES.values(), *REVIEWS.values())


def _in(group_version: str) -> list[Resource]:
    return [resource for resource in _all() if resource.group_version == group_version]


def _groups() -> list[str]:
    return list(dict.fromkeys(resource.group for resource in _all() if resource.group))


def _group(group: str) -> Object:
    versions = dict.fromkeys(resource.group_version for resource in _all() if resource.group == group)
    found = [{"groupVersion": version, "version": version.rpartition("/")[2]} for version in versions]
    return {"name": group, "versions": found, "preferredVersion": found[0]}


def subresources(resource: Resource) -> dict[str, tuple[tuple[str, ...], str]]:
    """A resource's subresources: their verbs and the kind that they take or give."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    if resource.status:
        found["status"] = (SUBRESOURCE_VERBS, resource.kind)
    if resource.scale:
        found["scale"] = (SUBRESOURCE_VERBS, "Scale")
    if resource.plural == "pods":
        found |= {"eviction": (("create",), "Eviction"), "log": (("get",), "Pod")}
    return found


def _verbs(resource: Resource) -> list[str]:
    if resource.plural in REVIEWS:
        return ["create"]
    # As in Kubernetes, nobody deletes all namespaces at once.
    return [verb for verb in VERBS if (resource.plural, verb) != ("namespaces", "deletecollection")]


def _common(resource: Resource) -> Object:
    return {"verbs": _verbs(resource)} | {
        key: list(value)
        for key, value in (("shortNames", resource.short_names), ("categories", resource.categories))
        if value
    }


def _resource_list(group_version: str) -> Object:
    rows: list[Object] = []
    for resource in _in(group_version):
        scope = {"namespaced": resource.namespaced}
        names = {"name": resource.plural, "singularName": resource.kind.lower()}
        rows.append(names | scope | {"kind": resource.kind} | _common(resource))
        for name, (verbs, kind) in subresources(resource).items():
            names = {"name": f"{resource.plural}/{name}", "singularName": ""}
            rows.append(names | scope | {"kind": kind, "verbs": list(verbs)} | _foreign_kind(kind))
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}


def _foreign_kind(kind: str) -> Object:
    """Group and version of a subresource's kind where they aren't the resource's."""
    found = {"Scale": {"group": "autoscaling", "version": "v1"}, "Eviction": {"group": "policy", "version": "v1"}}
    return dict(found.get(kind, {}))


def _aggregated(groups: list[str]) -> Object:
    items = [{"metadata": {"name": group} if group else {}, "versions": _versions(group)} for group in groups]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _versions(group: str) -> list[Object]:
    versions = dict.fromkeys(resource.group_version for resource in _all() if resource.group == group)
    return [
        {"version": version.rpartition("/")[2], "freshness": "Current", "resources": list(map(_row, _in(version)))}
        for version in versions
    ]


def _row(resource: Resource) -> Object:
    below = [
        {"subresource": name, "responseKind": {"group": "", "version": "", "kind": kind} | _foreign_kind(kind)}
        | {"verbs": list(verbs)}
        for name, (verbs, kind) in subresources(resource).items()
    ]
    return {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.kind.lower(),
        **_common(resource),
        **({"subresources": below} if below else {}),
    }
