"""Errors about fields, worded as k8s.io/apimachinery/pkg/util/validation/field does, and the formats of names."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.apimachinery import errors
from lab.apimachinery.resources import Resource


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with one field."""

    reason: str
    field: str
    message: str


Errors = list[FieldError]


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")


def unsupported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    values = ", ".join(_shown(s) for s in supported)
    return FieldError(
        "FieldValueNotSupported", field, f"Unsupported value: {_shown(value)}: supported values: {values}"
    )


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", field, f"Not found: {_shown(value)}")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_error(resource: Resource, name: str, found: Errors) -> errors.Invalid:
    """The 422 that names them all."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return invalid_options(kind, name, found, resource.group, resource.kind)


def invalid_options(kind: str, name: str, found: Errors, group: str, short_kind: str) -> errors.Invalid:
    """The same for what is no object: the options of a request."""
    texts = [f"{error.field}: {error.message}" for error in found]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": e.reason, "message": e.message, "field": e.field} for e in found]
    details = {"name": name, "group": group, "kind": short_kind, "causes": causes}
    return errors.Invalid(f'{kind} "{name}" is invalid: {text}', {k: v for k, v in details.items() if v})


# Formats of k8s.io/apimachinery/pkg/util/validation, and what is said of a value that isn't so.
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"


def dns_label(value: str) -> str | None:
    """What is wrong with an RFC 1123 label; None for a good one."""
    if "." in value and not dns_subdomain(value):
        return "must not contain dots"
    say = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
    say += (
        f" end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
    )
    return _checked(value, _LABEL, 63, say)


def dns_1035_label(value: str) -> str | None:
    """What is wrong with the name of a Service."""
    say = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic"
    say += " character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for"
    return _checked(value, _LABEL_1035, 63, f"{say} validation is '{_LABEL_1035}')")


def dns_subdomain(value: str) -> str | None:
    """What is wrong with most kinds' names."""
    say = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
    say += " start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    return _checked(value, _SUBDOMAIN, 253, f"{say} '{_SUBDOMAIN}')")


def path_segment(value: str) -> str | None:
    """What is wrong with the name of a Role or RoleBinding."""
    if value in (".", ".."):
        return f"may not be '{value}'"
    return next((f"may not contain '{char}'" for char in "/%" if char in value), None)


def label_value(value: str) -> str | None:
    """What is wrong with a label's value."""
    say = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
    say += " start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
    return _checked(value, _LABEL_VALUE, 63, f"{say} for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")


def qualified_name(value: str) -> str | None:
    """What is wrong with the key of a label or annotation."""
    prefix, slash, name = value.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (wrong := dns_subdomain(prefix)):
        return f"prefix part {wrong}"
    say = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    say += " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    return _checked(name, _QUALIFIED, 63, f"{say} '{_QUALIFIED}')")


def config_key(value: str) -> str | None:
    """What is wrong with a key of a ConfigMap or Secret."""
    say = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or"
    say += f" 'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
    if wrong := _checked(value, _CONFIG_KEY, 253, say):
        return wrong
    if value in (".", ".."):
        return f"must not be '{value}'"
    return "must not start with '..'" if value.startswith("..") else None


def local_path(field: str, value: str, *, reserved: bool = False) -> Errors:
    """What is wrong with a path that must lie below another; `reserved`: names that begin with `..` are taken there."""
    wrong = ["must be a relative path"] if value.startswith("/") else []
    if ".." in value.split("/"):
        wrong.append("must not contain '..'")
    if reserved and value.startswith("..") and not value.startswith("../"):
        wrong.append("must not start with '..'")
    return [invalid(field, value, say) for say in wrong]


def env_name(value: str) -> str | None:
    """What is wrong with the name of an environment variable."""
    say = "a valid environment variable name must consist only of printable ASCII characters other than '='"
    return _checked(value, "[ -<>-~]+", 1 << 20, say)


def port_name(value: str) -> str | None:
    """What is wrong with the name of a container's port (IANA_SVC_NAME)."""
    if len(value) > 15:
        return "must be no more than 15 characters"
    if not re.fullmatch("[-a-z0-9]+", value):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search("[a-z]", value):
        return "must contain at least one letter (a-z)"
    if "--" in value:
        return "must not contain consecutive hyphens"
    return "must not begin or end with a hyphen" if value[0] == "-" or value[-1] == "-" else None


def _checked(value: str, pattern: str, length: int, say: str) -> str | None:
    if len(value) > length:
        return f"must be no more than {length} characters"
    return None if re.fullmatch(pattern, value) else say


def port_number(value: int) -> str | None:
    return None if 1 <= value <= 65535 else "must be between 1 and 65535, inclusive"
