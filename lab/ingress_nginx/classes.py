"""Which controller an Ingress is for: its class, and who serves that."""

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

ANNOTATION = "kubernetes.io/ingress.class"  # deprecated since 1.18, and still in manifests


def class_of(ingress: Object) -> str:
    """The name of the class that it asks for; "" where it names none."""
    annotations = ingress["metadata"].get("annotations") or {}
    return str(ingress["spec"].get("ingressClassName") or annotations.get(ANNOTATION, ""))


def served(classes: Iterable[Object], controller: str) -> set[str]:
    """The names of the IngressClasses that a controller serves."""
    return {obj["metadata"]["name"] for obj in classes if obj["spec"].get("controller") == controller}
