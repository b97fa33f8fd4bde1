"""From bytes to an object of a kind: what k8s.io/apimachinery's serializers and its strict JSON decoder do.

A value of the wrong type is an error, worded as Go's; a field that the kind doesn't have is dropped and reported
(KEP-2885, field validation).
"""

import base64
import binascii
import datetime
import json
import re
import string
from collections.abc import Iterable
from typing import Any

import yaml

from lab.apimachinery.errors import BadRequest, UnsupportedMediaType
from lab.apimachinery.quantities import FORM
from lab.apimachinery.quantities import parse as parse_quantity
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object
from lab.objects import protobuf

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCHES = tuple(f"application/{kind}-patch+json" for kind in ("json", "merge", "strategic-merge"))
DEPTH = 100  # levels of nesting; Kubernetes' own objects have about 20
TOO_DEEP = f"it is nested deeper than {DEPTH} levels"
ZERO: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
GO_TYPES = {"string": "string", "number": "float64", "boolean": "bool"}
LIMITS = {"int32": 2**31, "int64": 2**63}
BASE64 = string.ascii_letters + string.digits + "+/"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def parse(body: bytes, content_type: str) -> Any:
    """The JSON value in a request's body. Raises BadRequest and UnsupportedMediaType."""
    if content_type not in (JSON, YAML, *JSON_PATCHES, protobuf.CONTENT_TYPE):
        accepted = f"{JSON}, {YAML}, {protobuf.CONTENT_TYPE}"
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise UnsupportedMediaType(message)
    try:
        if content_type == protobuf.CONTENT_TYPE:
            value = protobuf.parse(body)
        elif content_type == YAML and not body.lstrip().startswith(b"{"):
            value = _parse_yaml(body)
        else:
            value = json.loads(body, parse_constant=_refuse)
        _check_depth(value)
        return _clean(value)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body of the request can't be read: {error}") from error


def _parse_yaml(body: bytes) -> Any:
    try:
        depth = 0
        for event in yaml.parse(body, yaml.SafeLoader):  # cheap to stop, where building the objects would not be
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise ValueError(TOO_DEEP)
            # A few bytes of aliases of aliases are gigabytes of objects.
            if isinstance(event, yaml.AliasEvent):
                raise BadRequest("the body of the request can't be read: the lab takes no YAML aliases; write them out")
        return json.loads(json.dumps(yaml.safe_load(body), default=str, allow_nan=False))
    except (yaml.YAMLError, TypeError) as error:
        raise BadRequest(f"the body of the request can't be read: {error}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


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
            raise self._error(f"json: cannot unmarshal {_json_type(value)} into Go value of type {self._kind}")
        for field, expected in (("apiVersion", self._version), ("kind", self._kind)):
            if value.get(field, expected) != expected:
                kind, version = value.get("kind", self._kind), str(value.get("apiVersion", self._version))
                start = f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {self._kind}'
                raise BadRequest(f"{start}: this address takes {self._version} {self._kind}")
        decoded = self._struct(value, self._schema, "", ())
        return {"apiVersion": self._version, "kind": self._kind} | decoded

    def _struct(self, value: Object, schema: Schema, path: str, fields: tuple[str, ...]) -> Object:
        properties, decoded = schema["properties"], {}
        for key, child in value.items():
            child_path = f"{path}.{key}" if path else key
            if key not in properties:
                self.unknown.append(child_path)
            elif child is not None:
                where = (schema.get("title", ""), *fields[1:], key)
                found = self._value(child, properties[key], child_path, where)
                # Go leaves out lists and maps that are empty; a struct without fields is there.
                if found not in ([], {}) or "properties" in properties[key] or key in schema.get("required", []):
                    decoded[key] = found
        return decoded

    def _value(self, value: Any, schema: Schema, path: str, fields: tuple[str, ...]) -> Any:
        """`fields` are the Go type that a message names, and the fields from the object's top down to this one."""
        if value is None:
            return ZERO[schema.get("type", "string")]
        if schema.get("title") in ("IntOrString", "Quantity", "MicroTime", "Time"):
            return self._scalar(value, schema["title"], fields)
        kind = schema.get("type", "object")
        if _json_type(value) not in (("number",) if kind == "integer" else (kind,)):
            raise self._mismatch(_json_type(value), schema, fields)
        if kind == "object" and "properties" in schema:
            return self._struct(value, schema, path, fields)
        if kind == "object":
            items = schema.get("additionalProperties")
            return {k: self._value(v, items, f"{path}.{k}", fields) for k, v in value.items()} if items else value
        if kind == "array":
            return [self._value(v, schema["items"], f"{path}[{i}]", fields) for i, v in enumerate(value)]
        if kind == "integer" and not _fits(value, schema):
            raise self._mismatch(f"number {value}", schema, fields)
        if schema.get("format") == "byte":
            self._check_base64(value)
        return int(value) if kind == "integer" else value

    def _scalar(self, value: Any, title: str, fields: tuple[str, ...]) -> Any:
        """The types that read themselves: integers or strings, quantities and times."""
        text = isinstance(value, str)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if title == "IntOrString" and (text or (number and _fits(value, {"format": "int32"}))):
            return value if text else int(value)
        if title == "Quantity" and (number or text) and _is_quantity(str(value)):
            return str(value)
        if title in ("Time", "MicroTime") and text and _is_time(value):
            return value
        if title == "Quantity":
            raise self._error(f"quantities must match the regular expression '{FORM.pattern}'")
        if text:
            raise self._error(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}"')
        raise self._mismatch(_json_type(value), {"type": "string"}, fields)

    def _check_base64(self, value: str) -> None:
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as error:
            legal = len(value) - len(value.lstrip(BASE64))
            raise self._error(f"illegal base64 data at input byte {legal}") from error

    def _mismatch(self, got: str, schema: Schema, fields: tuple[str, ...]) -> BadRequest:
        where = f"field {fields[0]}.{'.'.join(fields[1:])}"
        return self._error(f"json: cannot unmarshal {got} into Go struct {where} of type {_go_type(schema)}")

    def _error(self, message: str) -> BadRequest:
        version = self._version.rpartition("/")[2]
        return BadRequest(f'{self._kind} in version "{version}" cannot be handled as a {self._kind}: {message}')

    def strict_error(self) -> BadRequest:
        """What fieldValidation=Strict answers for the unknown fields."""
        return self._error("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in self.unknown))


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return TIME.fullmatch(text) is not None


def _json_type(value: Any) -> str:
    names = ((bool, "boolean"), (str, "string"), (int | float, "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _go_type(schema: Schema) -> str:
    match schema.get("type", "object"):
        case "integer":
            return str(schema.get("format", "int64"))
        case "array":
            return f"[]{_go_type(schema['items'])}"
        case "object" if "title" in schema:
            return f"v1.{schema['title']}"
        case "object":
            return f"map[string]{_go_type(schema.get('additionalProperties', {'type': 'string'}))}"
        case scalar:
            return GO_TYPES[scalar]


def _fits(value: float, schema: Schema) -> bool:
    limit = LIMITS[schema.get("format", "int64")]
    return value == value // 1 and -limit <= value < limit
