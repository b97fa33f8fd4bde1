"""Label and field selectors of list and watch requests (k8s.io/apimachinery/pkg/labels and pkg/fields)."""

import re
from collections.abc import Callable

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object

Selector = Callable[[Object], bool]

TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|[^\s=!,()]+)")
OPERATORS = "in, notin, =, ==, !="

# The fields that can be selected by, other than the name and the namespace that every kind has.
FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    "events": (
        *(f"involvedObject.{f}" for f in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        *("reason", "reportingComponent", "type"),
    ),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}


def label_selector(text: str) -> Selector:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k`. Raises BadRequest."""
    requirements = [_requirement(tokens) for tokens in _requirements(text)]

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels", {})
        return all(requirement(labels) for requirement in requirements)

    return matches


def _requirements(text: str) -> list[list[str]]:
    """The tokens of each comma-separated requirement; commas inside parentheses don't separate."""
    found: list[list[str]] = [[]]
    depth = 0
    for part in TOKEN.findall(text):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(part)
    return [] if found == [[]] else found


def _requirement(tokens: list[str]) -> Callable[[dict[str, str]], bool]:
    match tokens:
        case [key] if _is_word(key):
            return lambda labels: key in labels
        case ["!", key] if _is_word(key):
            return lambda labels: key not in labels
        case [key, "=" | "==", *value] if _is_word(key) and _is_value(value):
            return lambda labels: labels.get(key) == "".join(value)
        case [key, "!=", *value] if _is_word(key) and _is_value(value):
            return lambda labels: labels.get(key) != "".join(value)
        case [key, "in", "(", *values, ")"] if _is_word(key) and not {"(", ")"} & set(values):
            return lambda labels: key in labels and labels[key] in "".join(values).split(",")
        case [key, "notin", "(", *values, ")"] if _is_word(key) and not {"(", ")"} & set(values):
            return lambda labels: labels.get(key) not in "".join(values).split(",")
        case [key, found, *_] if _is_word(key):
            raise BadRequest(f"unable to parse requirement: found '{found}', expected: {OPERATORS}")
    raise BadRequest(f"unable to parse requirement: found '{''.join(tokens[:1])}', expected: !, identifier, or ')'")


def _is_word(token: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?", token) is not None


def _is_value(tokens: list[str]) -> bool:
    return tokens == [] or (len(tokens) == 1 and _is_word(tokens[0]))


def field_selector(text: str, resource: Resource) -> Selector:
    """`status.phase=Running,metadata.name!=x`. Raises BadRequest for a field that can't be selected by."""
    terms = [_term(term, resource) for term in re.split(r"(?<!\\),", text) if term]

    def matches(obj: Object) -> bool:
        return all((_field(obj, path) == value) == equal for path, equal, value in terms)

    return matches


def _term(term: str, resource: Resource) -> tuple[str, bool, str]:
    parts = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term, re.DOTALL)
    if not parts:
        raise BadRequest(f"invalid selector: '{term}'; can't understand '{term}'")
    path, operator, value = parts.groups()
    own, everyone = FIELDS.get(resource.plural, ()), ("metadata.name", "metadata.namespace")
    if path not in (*own, *everyone):
        if own:
            raise BadRequest(f"field label not supported: {path}")
        raise BadRequest(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    return path, operator != "!=", re.sub(r"\\(.)", r"\1", value)


def _field(obj: Object, path: str) -> str:
    """A field as the text that selectors compare, "" where it isn't there."""
    value: object = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)
