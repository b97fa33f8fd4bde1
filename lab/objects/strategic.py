"""Strategic merge patch: a merge patch whose lists merge by key, as `kubectl apply`, `set` and `patch` send it.

Source: k8s.io/apimachinery/pkg/util/strategicpatch. Which lists merge, and by which key, is in the schemas
(x-kubernetes-patch-strategy, x-kubernetes-patch-merge-key).
"""

from typing import Any

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.schemas import Schema
from lab.apimachinery.store import Object

ORDER, REMOVE = "$setElementOrder/", "$deleteFromPrimitiveList/"
ANY: Schema = {}  # the schema of a field that the kind doesn't have: decoding reports it later


def strategic_merge(target: Object, patch: Object, schema: Schema) -> Object:
    """Merge into `target`, in place where it can. Raises BadRequest for a patch that is none."""
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown patch type {directive!r}: $patch is one of delete, merge, replace")
    if "$retainKeys" in patch:
        kept = _list(patch["$retainKeys"], "$retainKeys")
        for key in [key for key in target if key not in kept]:
            del target[key]
    for key, value in patch.items():
        if key.startswith(REMOVE):
            name = key.removeprefix(REMOVE)
            gone = _list(value, key)
            target[name] = [item for item in _list(target.get(name) or [], name) if item not in gone]
        elif not key.startswith("$"):
            _merge_field(target, key, value, patch.get(ORDER + key), _field(schema, key))
    for key, order in patch.items():
        name = key.removeprefix(ORDER)
        if key.startswith(ORDER) and name not in patch and isinstance(target.get(name), list):
            merge_key = _field(schema, name).get("x-kubernetes-patch-merge-key")
            target[name] = _ordered(target[name], _list(order, key), target[name], merge_key)
    return target


def _merge_field(target: Object, key: str, value: Any, order: Any, schema: Schema) -> None:
    old = target.get(key)
    if value is None:
        target.pop(key, None)
    elif isinstance(value, dict):
        target[key] = strategic_merge(old if isinstance(old, dict) else {}, value, schema)
    elif isinstance(value, list) and "merge" in schema.get("x-kubernetes-patch-strategy", ""):
        original = old if isinstance(old, list) else []
        merge_key = schema.get("x-kubernetes-patch-merge-key")
        if merge_key:
            merged = _merge_list(original, value, merge_key, schema.get("items", ANY))
        else:
            merged = original + [item for item in value if item not in original]
        order = value if order is None else _list(order, ORDER + key)
        target[key] = _ordered(merged, order, original, merge_key)
    else:
        target[key] = value


def _merge_list(original: list[Any], patch: list[Any], merge_key: str, schema: Schema) -> list[Any]:
    if not all(isinstance(item, dict) for item in patch):
        raise BadRequest(f"a list that merges by {merge_key} takes objects only")
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    merged = list(original)
    for item in patch:
        if merge_key not in item:
            raise BadRequest(f"map: {item} does not contain declared merge key: {merge_key}")
        place = next((i for i, old in enumerate(merged) if old.get(merge_key) == item[merge_key]), None)
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(merge_key) != item[merge_key]]
        elif place is None:
            merged.append(strategic_merge({}, item, schema))
        else:
            merged[place] = strategic_merge(dict(merged[place]), item, schema)
    return merged


def _ordered(items: list[Any], order: list[Any], original: list[Any], merge_key: str | None) -> list[Any]:
    """The items that `order` names, in its order, and among them the others, before whom they stood originally.

    As mergeSortedSlice does: an item that wasn't there comes before what is next.
    """

    def identity(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, dict) else item

    named, stood = ([identity(item) for item in sequence] for sequence in (order, original))
    ordered = sorted((i for i in items if identity(i) in named), key=lambda item: named.index(identity(item)))
    others = [item for item in items if identity(item) not in named]
    merged = []
    while ordered and others:
        mine, other = identity(ordered[0]), identity(others[0])
        behind = mine in stood and other in stood and stood.index(mine) > stood.index(other)
        merged.append((others if behind else ordered).pop(0))
    return merged + ordered + others


def _field(schema: Schema, name: str) -> Schema:
    found: Schema = schema.get("properties", {}).get(name, schema.get("additionalProperties", ANY))
    return found


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{name} is a list, not {value!r:.100}")
    return value
