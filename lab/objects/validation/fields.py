"""Errors about fields, and rules of single values (k8s.io/apimachinery/pkg/util/validation)."""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lab.apimachinery import errors
from lab.apimachinery.resources import Resource


class FieldError(NamedTuple):
    """One thing that is wrong with one field."""

    reason: str
    field: str
    message: str


Errors = list[FieldError]
Rule = Callable[[str, Any], Errors]  # what is wrong with the value of the field at this path


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")


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


class Form(NamedTuple):
    """A form of names, and what is said of a value that hasn't it."""

    pattern: str
    limit: int
    say: str


_ENDS = "begin and end with a letter or digit"
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
DNS_LABEL = Form(_LABEL, 63, f"must be lower case letters, digits and '-', and {_ENDS}")
DNS_1035_LABEL = Form("[a-z]([-a-z0-9]*[a-z0-9])?", 63, f"{DNS_LABEL.say}, the first one a letter")
DNS_SUBDOMAIN = Form(rf"{_LABEL}(\.{_LABEL})*", 253, f"must be lower case letters, digits, '-' and '.', and {_ENDS}")
PATH_SEGMENT = Form(r"(?!\.\.?\Z)[^/%]+", 253, "must not be '.' or '..' and not contain '/' or '%'")
LABEL_VALUE = Form(f"({_NAME})?", 63, f"must be letters, digits, '-', '_' and '.', and {_ENDS}, or be empty")
QUALIFIED_NAME = Form(
    rf"((?=[^/]{{1,253}}/){DNS_SUBDOMAIN.pattern}/)?(?=[^/]{{1,63}}\Z){_NAME}",
    317,
    f"must be at most 63 letters, digits, '-', '_' and '.', and {_ENDS}; before it a DNS name and '/' may stand",
)
CONFIG_KEY = Form(
    r"(?!\.\Z|\.\.)[-._a-zA-Z0-9]+", 253, "must be letters, digits, '-', '_' and '.', not begin with '..'"
)
HTTP_HEADER = Form("[-A-Za-z0-9]+", 1 << 20, "must be letters, digits and '-'")
DOMAIN_PATH = Form(rf"{DNS_SUBDOMAIN.pattern}/[^\s%]+", 63, "must begin with a domain, as example.com/name")
ENV_NAME = Form("[ -<>-~]+", 1 << 20, "must be printable ASCII characters other than '='")
PORT_NAME = Form(
    "(?!-)(?!.*--)(?=.*[a-z])[-a-z0-9]+(?<!-)",
    15,
    "must be lower case letters, digits and single '-', a letter among them",
)


def formed(form: Form) -> Rule:
    """A value of this form."""

    def rule(field: str, value: Any) -> Errors:
        if len(value) > form.limit:
            return [invalid(field, value, f"must be no more than {form.limit} characters")]
        return [] if re.fullmatch(form.pattern, value) else [invalid(field, value, form.say)]

    return rule


def there(rule: Rule) -> Rule:
    """A value that must be there, and follow this rule."""
    return lambda field, value: rule(field, value) if value else [required(field)]


def name(form: Form) -> Rule:
    return there(formed(form))


def distinct(named: Iterable[tuple[str, Any]]) -> Errors:
    """Of these fields and their values, those whose value another has that stands before it."""
    given = [(field, value) for field, value in named if value]
    values = [value for _, value in given]
    return [duplicate(field, value) for i, (field, value) in enumerate(given) if value in values[:i]]


def filled(field: str, value: Any) -> Errors:
    """A value that must not be empty."""
    return [] if value else [required(field)]


def one_of(*supported: str) -> Rule:
    """One of a few values."""

    def rule(field: str, value: Any) -> Errors:
        say = f"Unsupported value: {_shown(value)}: supported values: {', '.join(map(_shown, supported))}"
        return [] if value in supported else [FieldError("FieldValueNotSupported", field, say)]

    return rule


def count(field: str, value: Any) -> Errors:
    return [invalid(field, value, "must be greater than or equal to 0")] if value < 0 else []


def positive(field: str, value: Any) -> Errors:
    return [] if value > 0 else [invalid(field, value, "must be greater than 0")]


def count_or_percent(field: str, value: Any) -> Errors:
    if isinstance(value, int):
        return count(field, value)
    return (
        [] if re.fullmatch("[0-9]+%", value) else [invalid(field, value, "must be a number or a percentage, as '25%'")]
    )


def port(field: str, value: Any) -> Errors:
    """The number of a port, or its name where that may stand."""
    if isinstance(value, str):
        return formed(PORT_NAME)(field, value)
    return [] if 1 <= value <= 65535 else [invalid(field, value, "must be between 1 and 65535, inclusive")]


def ip(field: str, value: Any) -> Errors:
    return [] if is_ip(value) else [invalid(field, value, "must be a valid IP address")]


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def user(field: str, value: Any) -> Errors:
    """The number of a user or a group."""
    return [] if 0 <= value < 1 << 31 else [invalid(field, value, "must be between 0 and 2147483647, inclusive")]


def mode(field: str, value: Any) -> Errors:
    """The permissions of a file."""
    return [] if 0 <= value <= 0o777 else [invalid(field, value, "must be a number between 0 and 0777 (octal)")]


def sub_path(field: str, value: Any) -> Errors:
    """A path below another."""
    wrong = ["must be a relative path"] if value.startswith("/") else []
    wrong += ["must not contain '..'"] if ".." in value.split("/") else []
    return [invalid(field, value, say) for say in wrong]


def file_path(field: str, value: Any) -> Errors:
    """A path below another in which names that begin with `..` are taken."""
    taken = value.startswith("..") and not value.startswith("../")
    return filled(field, value) + (
        [invalid(field, value, "must not begin with '..'")] if taken else sub_path(field, value)
    )
