"""The fields of an object as a set of paths, and merging by such sets: the arithmetic of server-side apply.

Stands for sigs.k8s.io/structured-merge-diff. A path is a tuple of the elements that `managedFields` is made of:
`f:NAME` a field or key, `k:{...}` the item of a list with these keys, `v:VALUE` the item of a set. Which lists are
maps or sets, and what is atomic, is in the schemas (x-kubernetes-list-type, x-kubernetes-map-type).
"""

import copy
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from lab.apimachinery.schemas import Schema
from lab.apimachinery.store import Object

Path = tuple[str, ...]
Fields = dict[Path, Any]

DEFAULT_KEYS = {"protocol": "TCP"}  # a key that a list's item may leave out
ITEM = object()  # the value of a path that is a list's item as such


def fields_of(value: Any, schema: Schema, path: Path = ()) -> Fields:
    """The leaves of a value, and the items of its lists, with their values."""
    if _is_map(value, schema) and value:
        found: Fields = {}
        for key, child in value.items():
            found |= fields_of(child, _property(schema, key), (*path, f"f:{key}"))
        return found
    if isinstance(value, list) and value and (elements := _elements(value, schema)):
        found = {}
        for element, item in elements.items():
            found[*path, element] = ITEM
            if element.startswith("k:"):
                found |= fields_of(item, schema["items"], (*path, element))
        return found
    return {path: value}


def merged(live: Any, applied: Any, schema: Schema) -> Any:
    """`live` with what `applied` says: maps by key, lists by the keys of their items, the rest replaced."""
    if _is_map(applied, schema) and isinstance(live, dict):
        result = dict(live)
        for key, value in applied.items():
            result[key] = merged(live.get(key), value, _property(schema, key))
        return result
    if isinstance(applied, list) and isinstance(live, list) and (new := _elements(applied, schema)):
        old = _elements(live, schema)
        both = {element: merged(old.get(element), item, schema["items"]) for element, item in new.items()}
        return [(old | both)[element] for element in _interleaved(list(old), list(new))]
    return copy.deepcopy(applied)


def _interleaved(live: list[str], applied: list[str]) -> list[str]:
    """All elements: those that are applied in their order, the others after those that they came after."""
    left, right, both = deque(live), deque(applied), [element for element in applied if element in live]
    found: list[str] = []
    while left or right:
        if left and left[0] in found:
            left.popleft()
        elif left and right and left[0] == right[0]:
            found.append(left.popleft())
            right.popleft()
        elif left and left[0] not in applied:
            found.append(left.popleft())
        elif left and left[0] != next(element for element in both if element not in found):
            left.popleft()  # its turn is later, where it is applied
        else:
            found.append(right.popleft())
    return found


def without(value: Any, gone: Iterable[Path], schema: Schema) -> Any:
    """The value without the fields and items at these paths (none is inside another)."""
    heads: dict[str, list[Path]] = {}
    for path in gone:
        heads.setdefault(path[0], []).append(path[1:])
    if isinstance(value, dict):
        children = {f"f:{key}": (key, child, _property(schema, key)) for key, child in value.items()}
        kept = {key: _rest(child, heads.get(head), sub) for head, (key, child, sub) in children.items()}
        return {key: child for key, child in kept.items() if child is not None}
    if isinstance(value, list):
        items = [_rest(item, heads.get(head), schema["items"]) for head, item in _elements(value, schema).items()]
        return [item for item in items if item is not None]
    return value


def _rest(child: Any, gone: list[Path] | None, schema: Schema) -> Any:
    """What is left of a child; None for one that goes, or whose last content went."""
    if gone is None:
        return child
    return None if () in gone else without(child, gone, schema) or None


def encode(paths: Iterable[Path]) -> Object:
    """A set of paths as `fieldsV1`."""
    root: Object = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        if path[-1].startswith("k:"):
            node["."] = {}
    return root


def decode(fields: Any, path: Path = ()) -> set[Path]:
    """The set of paths that `fieldsV1` says."""
    found: set[Path] = set()
    for element, children in fields.items() if isinstance(fields, dict) else ():
        if element == ".":
            found |= {path} - {()}
        elif children:
            found |= decode(children, (*path, element))
        else:
            found.add((*path, element))
    return found


def written(path: Path) -> str:
    """A path as messages write it: `.spec.containers[name="web"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def _is_map(value: Any, schema: Schema) -> bool:
    return isinstance(value, dict) and schema.get("x-kubernetes-map-type") != "atomic"


def _property(schema: Schema, key: str) -> Schema:
    found: Schema = schema.get("properties", {}).get(key) or schema.get("additionalProperties", {})
    return found


def _elements(items: list[Any], schema: Schema) -> dict[str, Any]:
    """A list's items by their path elements; {} for an atomic list."""
    match schema.get("x-kubernetes-list-type"):
        case "map":
            keys = schema["x-kubernetes-list-map-keys"]
            return {_key_element(item, keys): item for item in items}
        case "set":
            return {f"v:{_compact(item)}": item for item in items}
    return {}


def _key_element(item: Object, keys: list[str]) -> str:
    values = {key: item.get(key, DEFAULT_KEYS.get(key)) for key in sorted(keys)}
    return "k:" + _compact({key: value for key, value in values.items() if value is not None})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
