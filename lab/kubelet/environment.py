"""The environment and the command line of a container, before they are adapted to loopback.

Stands for the kubelet's makeEnvironmentVariables and its expansion of `$(VAR)`
(k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go, third_party/forked/golang/expansion).
"""

import base64
import re
from collections.abc import Mapping

from lab.apimachinery.store import Object, Store
from lab.kubelet import fieldrefs

REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
KINDS = {"configmaps": "ConfigMap", "secrets": "Secret"}


class ConfigError(Exception):
    """The container can't be created as its spec says: the message of a CreateContainerConfigError."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by that variable, where there is one, and `$$` by `$`."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return REFERENCE.sub(value, text)


def variables(store: Store, pod: Object, container: Object, capacity: Mapping[str, str]) -> dict[str, str]:
    """Its Services, and what the container's `envFrom` and `env` say, the latter winning. Raises ConfigError."""
    found = service_links(store, pod)
    for source in container.get("envFrom", []):
        for resource, ref in (("configmaps", source.get("configMapRef")), ("secrets", source.get("secretRef"))):
            if ref:
                values = _data(store, pod, resource, ref) or {}
                found |= {source.get("prefix", "") + key: value for key, value in values.items()}
    for variable in container.get("env", []):
        value: str | None
        if "valueFrom" in variable:
            value = _value_from(store, pod, container, variable["valueFrom"], capacity)
        else:
            value = expand(variable.get("value", ""), found)
        if value is not None:
            found[variable["name"]] = value
    return found


def service_links(store: Store, pod: Object) -> dict[str, str]:
    """The variables that name the API and, with `enableServiceLinks`, the Services that the namespace has now.

    Stands for k8s.io/kubernetes/pkg/kubelet/envvars.
    """
    services = [store.find("services", "default", "kubernetes")]
    if pod["spec"].get("enableServiceLinks", True):
        services += store.list("services", pod["metadata"]["namespace"])
    found: dict[str, str] = {}
    for service in services:
        ports = service["spec"].get("ports") if service else None
        if not service or not ports or service["spec"].get("clusterIP", "None") == "None":
            continue
        name, address = service["metadata"]["name"].upper().replace("-", "_"), service["spec"]["clusterIP"]
        found |= {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
        found[f"{name}_PORT"] = f"{ports[0].get('protocol', 'TCP').lower()}://{address}:{ports[0]['port']}"
        for port in ports:
            number, protocol = port["port"], port.get("protocol", "TCP")
            if port.get("name"):
                found[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(number)
            prefix = f"{name}_PORT_{number}_{protocol}"
            found[prefix] = f"{protocol.lower()}://{address}:{number}"
            found |= {f"{prefix}_PROTO": protocol.lower(), f"{prefix}_PORT": str(number), f"{prefix}_ADDR": address}
    return found


def _value_from(
    store: Store, pod: Object, container: Object, source: Object, capacity: Mapping[str, str]
) -> str | None:
    if "fieldRef" in source:
        try:
            return fieldrefs.field(pod, source["fieldRef"]["fieldPath"])
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if "resourceFieldRef" in source:
        return fieldrefs.resource_field(pod, container, source["resourceFieldRef"], capacity)
    if "configMapKeyRef" in source:
        return _key(store, pod, "configmaps", source["configMapKeyRef"])
    if "secretKeyRef" in source:
        return _key(store, pod, "secrets", source["secretKeyRef"])
    raise ConfigError(f"the lab has no valueFrom {', '.join(source)}")


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
