"""From bytes to an object of a kind: what k8s.io/apimachinery's serializers and its strict JSON decoder do.

A value of the wrong type is an error; a field that the kind doesn't have is dropped and reported (KEP-2885, field
validation).
"""

import base64
import copy
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from lab.apimachinery import quantities
from lab.apimachinery.errors import BadRequest, UnsupportedMediaType
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object
from lab.objects import protobuf

JSON = "application/json"
JSON_PATCHES = tuple(f"application/{kind}-patch+json" for kind in ("json", "merge", "strategic-merge"))
DEPTH = 100  # levels of nesting; Kubernetes' own objects have about 20
ZERO: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def parse(body: bytes, content_type: str) -> Any:
    """The JSON value in a request's body. Raises BadRequest and UnsupportedMediaType."""
    if content_type not in (JSON, *JSON_PATCHES, protobuf.CONTENT_TYPE):
        accepted = f"{JSON}, {protobuf.CONTENT_TYPE}"
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise UnsupportedMediaType(message)
    try:
        if content_type == protobuf.CONTENT_TYPE:
            value = protobuf.parse(body)
        else:
            value = json.loads(body, parse_constant=_refuse)
        _check_depth(value)
        return _clean(value)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body of the request can't be read: {error}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEPTH} levels")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _clean(value: Any) -> Any:
    """Replace halves of UTF-16 surrogate pairs, which JSON can escape and UTF-8 can't hold, as Go does."""
    text = json.dumps(value, ensure_ascii=False)
    clean = text.encode("utf-8", "replace").decode()
    return value if clean == text else json.loads(clean)


class Decoder:
    """Reads one object of a kind; `unknown` are the paths of fields that the kind doesn't have."""

    def __init__(self, resource: Resource) -> None:
        self._kind, self._version = resource.kind, resource.group_version
        self._schema = schema_of(resource)
        self.unknown: list[str] = []

    def decode(self, value: Any) -> Object:
        """The object without its unknown fields and nulls. Raises BadRequest for a value of the wrong type."""
        if not isinstance(value, dict):
            raise self._error(f"{json.dumps(value):.100} is not an object")
        for field, expected in (("apiVersion", self._version), ("kind", self._kind)):
            if (value.get(field) or expected) != expected:
                given = f"{value.get('apiVersion', self._version)} {value.get('kind', self._kind)}"
                raise self._error(f"this address takes {self._version} {self._kind}, not {given:.100}")
        return {"apiVersion": self._version, "kind": self._kind} | self._struct(value, self._schema, "")

    def _struct(self, value: Object, schema: Schema, path: str) -> Object:
        properties, decoded = schema["properties"], {}
        for key, child in value.items():
            child_path = f"{path}.{key}" if path else key
            if key not in properties:
                self.unknown.append(child_path)
            elif child is not None:
                found = self._value(child, properties[key], child_path)
                # Go leaves out lists and maps that are empty; a struct without fields is there.
                if found not in ([], {}) or "properties" in properties[key] or key in schema.get("required", []):
                    decoded[key] = found
        return decoded

    def _value(self, value: Any, schema: Schema, path: str) -> Any:
        kind = schema.get("type", "object")
        if value is None:
            return copy.copy(ZERO.get(kind, ""))
        # IntOrString and Quantity have no type of their own in the schemas; int32 and byte are formats of types.
        name = next(name for name in (schema.get("title"), schema.get("format"), kind) if name in TYPES)
        fits, wanted = TYPES[name]
        if not fits(value):
            raise self._error(f"{path}: {json.dumps(value):.100} is not {wanted}")
        if kind == "array":
            return [self._value(item, schema["items"], f"{path}[{i}]") for i, item in enumerate(value)]
        if "properties" in schema:
            return self._struct(value, schema, path)
        if items := schema.get("additionalProperties"):
            return {key: self._value(item, items, f"{path}.{key}") for key, item in value.items()}
        if name == "Quantity":
            return str(value)
        return int(value) if name != "number" and isinstance(value, float) else value

    def _error(self, message: str) -> BadRequest:
        version = self._version.rpartition("/")[2]
        return BadRequest(f'{self._kind} in version "{version}" cannot be handled as a {self._kind}: {message}')

    def strict_error(self) -> BadRequest:
        """What fieldValidation=Strict answers for the unknown fields."""
        return self._error("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in self.unknown))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, limit: int) -> bool:
    return _is_number(value) and value == value // 1 and -limit <= value < limit


def _reads(read: Callable[[Any], object], value: Any) -> bool:
    """Whether what reads such a value can read this one."""
    try:
        read(value)
    except ValueError:
        return False
    return True


def _base64(text: str) -> bytes:
    """As Go, which reads across lines."""
    return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None and _reads(datetime.fromisoformat, value)


TYPES: dict[Any, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "a string"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "array": (lambda value: isinstance(value, list), "a list"),
    "object": (lambda value: isinstance(value, dict), "an object"),
    "number": (_is_number, "a number"),
    "integer": (lambda value: _is_whole(value, 2**63), "a whole number"),
    "int32": (lambda value: _is_whole(value, 2**31), "a whole number of 32 bits"),
    "IntOrString": (lambda value: isinstance(value, str) or _is_whole(value, 2**31), "a whole number or a string"),
    "Quantity": (
        lambda value: not isinstance(value, bool) and _reads(quantities.parse, value),
        "a quantity, such as 100m, 0.5 or 64Mi",
    ),
    "byte": (
        lambda value: isinstance(value, str) and _reads(_base64, value),
        "base64",
    ),
    "Time": (_is_time, "a time, such as 2026-01-02T15:04:05Z"),
    "MicroTime": (_is_time, "a time, such as 2026-01-02T15:04:05.000000Z"),
}
