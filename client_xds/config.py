"""xDS resources from a ConfigMap: they take the place of generated ones, or come on top.

Each value is YAML of one or more documents, a resource each, in the form that Envoy's own files have: its type as
`"@type": type.googleapis.com/…`, and its fields (proto3's JSON mapping).
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.message import Message

from client_xds.types import BY_URL, NAMES, Type

PREFIX = "type.googleapis.com/"


class ConfigError(Exception):
    """A ConfigMap that holds no resources; the message says where, what is wrong and how to mend it."""


def parsed(data: Mapping[str, str]) -> dict[tuple[Type, str], Message]:
    """The resources by type and name. Raises ConfigError."""
    found: dict[tuple[Type, str], Message] = {}
    for key, text in data.items():
        try:
            resources = [_resource(key, document) for document in yaml.safe_load_all(text) if document is not None]
        except yaml.YAMLError as error:
            raise ConfigError(f"{key} is no YAML: {_in_a_line(error)}") from error
        except RecursionError as error:
            raise ConfigError(f"{key} is nested too deep; write it flatter") from error
        for type_, name, resource in resources:
            if (type_, name) in found:
                raise ConfigError(f"{key}: {type_.value} {name!r} is there twice; leave one out")
            found[type_, name] = resource
    return found


def _resource(key: str, document: Any) -> tuple[Type, str, Message]:
    if not isinstance(document, dict):
        raise ConfigError(f'{key}: a document is no mapping; begin it with "@type": {next(iter(BY_URL))}, say')
    url = document.get("@type")
    if not isinstance(url, str) or url not in BY_URL:
        raise ConfigError(f"{key}: a document's @type is {url!r}; write one of {', '.join(BY_URL)}")
    for each in _types(document):
        _load(each)
    wrapped = AnyProto()
    try:
        json_format.ParseDict(document, wrapped)
    except (
        json_format.ParseError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:  # the last of a key that is no text
        raise ConfigError(f"{key}: {_in_a_line(error)}; see {url.removeprefix(PREFIX)} in Envoy's reference") from error
    type_ = BY_URL[url]
    resource = type_.message()
    wrapped.Unpack(resource)
    name = str(getattr(resource, NAMES[type_]))
    if not name:
        raise ConfigError(
            f"{key}: a {type_.value} has no {NAMES[type_]}; give it that of a Service, or one of your own"
        )
    return type_, name, resource


def _types(value: Any) -> Iterator[str]:
    """Every @type in it, however deep."""
    if isinstance(value, dict):
        if isinstance(url := value.get("@type"), str):
            yield url
        for each in value.values():
            yield from _types(each)
    elif isinstance(value, list):
        for each in value:
            yield from _types(each)


def _load(url: str) -> None:
    """Import the modules of a type's package, where there is one: protobuf knows a type once its module is imported."""
    package = url.removeprefix(PREFIX).rpartition(".")[0]
    if not package.startswith(("envoy.", "xds.", "udpa.")):
        return
    try:
        paths = importlib.import_module(package).__path__
    except (ImportError, AttributeError, ValueError):
        return  # ParseDict says that it knows no such type
    for module in pkgutil.iter_modules(paths):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
