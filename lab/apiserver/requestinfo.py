"""What the path of a request names (k8s.io/apiserver/pkg/endpoints/request)."""

from dataclasses import dataclass
from urllib.parse import unquote

from lab.apimachinery.resources import RESOURCES, Resource


@dataclass(frozen=True)
class RequestInfo:
    """A resource, and where the path goes further: a namespace, an object, a subresource."""

    resource: Resource
    namespace: str  # "" for all namespaces, and for what is in none
    name: str
    subresource: str


def parse(path: str) -> RequestInfo | None:
    """Reads a path as it goes over the wire, escaped. None for one that names no resource of the lab."""
    match [unquote(part) for part in path.strip("/").split("/")]:
        case ["api", "v1", *rest]:
            group_version = "v1"
        case ["apis", group, version, *rest]:
            group_version = f"{group}/{version}"
        case _:
            return None
    namespace = ""
    # A namespace is a path's beginning, and itself an object with subresources.
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    resource = RESOURCES.get(plural)
    if resource is None or resource.group_version != group_version:
        return None
    if (name or namespace) and resource.namespaced != bool(namespace):
        return None
    return RequestInfo(resource, namespace, name, subresource)
