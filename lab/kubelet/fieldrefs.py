"""The downward API: what a container may be told of its own pod.

Source: k8s.io/kubernetes/pkg/fieldpath and pkg/api/v1/resource.
"""

import json
import re
from collections.abc import Mapping

from lab.apimachinery.quantities import divided
from lab.apimachinery.store import Object

SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def field(pod: Object, path: str) -> str:
    """The value of a fieldRef. Raises ValueError for a path that the downward API hasn't."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    if match := SUBSCRIPT.fullmatch(path):
        return str(meta.get(match[1], {}).get(match[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(meta[path.removeprefix("metadata.")])
        case "metadata.labels" | "metadata.annotations":
            return _lines(meta.get(path.removeprefix("metadata."), {}))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.podIP" | "status.hostIP":
            return str(status.get(path.removeprefix("status."), ""))
        case "status.podIPs" | "status.hostIPs":
            return ",".join(address["ip"] for address in status.get(path.removeprefix("status."), []))
    raise ValueError(f"unsupported fieldPath: {path}")


def _lines(values: Mapping[str, str]) -> str:
    """Labels or annotations as a file of the downward API has them."""
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(values.items()))


def resource_field(pod: Object, container: Object, ref: Object, capacity: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef; what isn't limited may take what the node has."""
    if name := ref.get("containerName"):
        all_containers = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
        container = next(c for c in all_containers if c["name"] == name)
    kind, _, resource = ref["resource"].partition(".")
    missing = capacity.get(resource, "0") if kind == "limits" else "0"
    quantity = container.get("resources", {}).get(kind, {}).get(resource, missing)
    return str(divided(quantity, ref.get("divisor") or "1"))
