"""The environment and the command line of a container, before they are adapted to loopback.

Stands for the kubelet's makeEnvironmentVariables, its expansion of `$(VAR)` and the fields of the downward API
(k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go, third_party/forked/golang/expansion, pkg/fieldpath). Left out are the
variables that name the Services of the namespace: DNS does.
"""

import base64
import re
from collections.abc import Mapping

from lab.apimachinery.store import Object, Store

REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
KINDS = {"configmaps": "ConfigMap", "secrets": "Secret"}


class ConfigError(Exception):
    """The container can't be created as its spec says: the message of a CreateContainerConfigError."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by that variable, where there is one, and `$$` by `$`."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return REFERENCE.sub(value, text)


def variables(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """What the container's `envFrom` and `env` say, the latter winning. Raises ConfigError."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for resource, ref in (("configmaps", source.get("configMapRef")), ("secrets", source.get("secretRef"))):
            if ref:
                values = _data(store, pod, resource, ref) or {}
                found |= {source.get("prefix", "") + key: value for key, value in values.items()}
    for variable in container.get("env", []):
        value: str | None
        if "valueFrom" in variable:
            value = _value_from(store, pod, variable["valueFrom"])
        else:
            value = expand(variable.get("value", ""), found)
        if value is not None:
            found[variable["name"]] = value
    return found


def _value_from(store: Store, pod: Object, source: Object) -> str | None:
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    if "configMapKeyRef" in source:
        return _key(store, pod, "configmaps", source["configMapKeyRef"])
    if "secretKeyRef" in source:
        return _key(store, pod, "secrets", source["secretKeyRef"])
    raise ConfigError(f"the lab has no valueFrom {', '.join(source)}")


def _field(pod: Object, path: str) -> str:
    """What a container may be told of its own pod."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    if match := SUBSCRIPT.fullmatch(path):
        return str(meta.get(match[1], {}).get(match[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(meta[path.removeprefix("metadata.")])
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.podIP" | "status.hostIP":
            return str(status.get(path.removeprefix("status."), ""))
    raise ConfigError(f"unsupported fieldPath: {path}")


def _key(store: Store, pod: Object, resource: str, ref: Object) -> str | None:
    """The value of a key, or None where it is optional and missing."""
    values = _data(store, pod, resource, ref)
    if values is not None and ref["key"] in values:
        return values[ref["key"]]
    if ref.get("optional"):
        return None
    namespace = pod["metadata"]["namespace"]
    raise ConfigError(f"couldn't find key {ref['key']} in {KINDS[resource]} {namespace}/{ref['name']}")


def _data(store: Store, pod: Object, resource: str, ref: Object) -> dict[str, str] | None:
    """The texts in a ConfigMap or Secret, or None where it is optional and missing."""
    obj = store.find(resource, pod["metadata"]["namespace"], ref["name"])
    if obj is None:
        if ref.get("optional"):
            return None
        raise ConfigError(f'{KINDS[resource].lower()} "{ref["name"]}" not found')
    data = obj.get("data") or {}
    if resource == "secrets":
        return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in data.items()}
    return dict(data)
