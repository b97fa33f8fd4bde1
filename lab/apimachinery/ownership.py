"""Which controller an object belongs to: its owner reference, and how a controller adopts and releases by selector.

Source: k8s.io/kubernetes/pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Iterable

from lab.apimachinery.resources import resource_of
from lab.apimachinery.store import Object, Store


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector (matchLabels and matchExpressions, all of them) fits these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_fits(expression, labels) for expression in selector.get("matchExpressions", []))


def _fits(expression: Object, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"label selector operator {expression['operator']!r} is none of In, NotIn, Exists, DoesNotExist")


def controller_of(obj: Object) -> Object | None:
    """The owner reference of its controller."""
    for reference in obj["metadata"].get("ownerReferences", []):
        if reference.get("controller"):
            found: Object = reference
            return found
    return None


def is_controlled_by(obj: Object, owner: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def controller_reference(owner: Object) -> Object:
    """The owner reference that says: this is my controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(store: Store, owner: Object, candidates: Iterable[Object]) -> list[Object]:
    """The candidates that `owner`'s selector makes its own: adopts those without controller, releases its own that it
    no longer selects. An owner that is being deleted does neither.
    """
    claimed = []
    owner_lives = "deletionTimestamp" not in owner["metadata"]
    for obj in candidates:
        fits = selects(owner["spec"]["selector"], obj["metadata"].get("labels", {}))
        if is_controlled_by(obj, owner):
            if fits:
                claimed.append(obj)
            elif owner_lives:
                _release(store, owner, obj)
        elif controller_of(obj) is None and fits and owner_lives and "deletionTimestamp" not in obj["metadata"]:
            claimed.append(_adopt(store, owner, obj))
    return claimed


def _adopt(store: Store, owner: Object, obj: Object) -> Object:
    obj["metadata"].setdefault("ownerReferences", []).append(controller_reference(owner))
    return store.update(_plural(obj), obj)


def _release(store: Store, owner: Object, obj: Object) -> None:
    references = obj["metadata"]["ownerReferences"]
    obj["metadata"]["ownerReferences"] = [r for r in references if r["uid"] != owner["metadata"]["uid"]]
    store.update(_plural(obj), obj)


def _plural(obj: Object) -> str:
    resource = resource_of(obj)
    assert resource is not None, f"{obj['apiVersion']} {obj['kind']} is in the store, so it is a known resource"
    return resource.plural
