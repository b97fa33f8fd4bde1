"""What Kubernetes takes, and warns of: a manifest that means something else than it seems to, by the field.

Stands for GetWarningsForPod and GetWarningsForService of k8s.io/kubernetes/pkg/api, of which it has what people meet.
"""

from collections.abc import Callable, Iterator

from lab.apimachinery import quantities
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import schema_of, structs
from lab.apimachinery.store import Object

Hints = Iterator[str]


def hints(resource: Resource, obj: Object) -> list[str]:
    """A line for each."""
    found = structs(obj, schema_of(resource))
    return [hint for struct, of, at in found if (kind := of.get("title")) in TYPES for hint in TYPES[kind](struct, at)]


def _pod(spec: Object, path: str) -> Hints:
    if path != "spec." and spec.get("terminationGracePeriodSeconds", 0) < 0:  # of a pod by itself in silence
        yield f"{path}terminationGracePeriodSeconds: less than 0 counts as 1"
    for i, secret in enumerate(spec.get("imagePullSecrets", [])):
        if not secret.get("name"):
            yield f"{path}imagePullSecrets[{i}].name: is empty"


def _container(container: Object, path: str) -> Hints:
    names = [variable.get("name") for variable in container.get("env", [])]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"{path}env[{i}]: is another {name}, and the last one counts"
    ports = [(port.get("containerPort"), port.get("protocol") or "TCP") for port in container.get("ports", [])]
    for i, port in enumerate(ports):
        if port in ports[:i]:
            yield f"{path}ports[{i}]: is the same port as {path}ports[{ports.index(port)}]"
    for i, port in enumerate(container.get("ports", [])):
        if port.get("hostIP") and not port.get("hostPort"):
            yield f"{path}ports[{i}]: hostIP without hostPort"
    for kind, amounts in container.get("resources", {}).items():
        if kind in ("limits", "requests") and quantities.parse(amounts.get("memory", 0)).denominator > 1:
            yield f"{path}resources.{kind}[memory]: is a fraction of a byte; a million of them is 1M"


def _volume(volume: Object, _: str) -> Hints:
    if "projected" in volume and not any(volume["projected"].get("sources", [])):
        yield f"volume {volume.get('name', '')}: its projection has no sources"


def _service(spec: Object, path: str) -> Hints:
    if spec.get("externalName") and spec.get("type") != "ExternalName":
        yield f"{path}externalName: is for the type ExternalName"


TYPES: dict[str, Callable[[Object, str], Hints]] = {
    "PodSpec": _pod,
    "Container": _container,
    "Volume": _volume,
    "ServiceSpec": _service,
}
