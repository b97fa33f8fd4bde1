"""Conditions of a status, as the API conventions have them: one a type, with the time of its last transition."""

from typing import Any

from lab.apimachinery.store import Object, now


def find(status: Object, kind: str) -> Object | None:
    """The condition of this type."""
    return next((condition for condition in status.get("conditions", []) if condition["type"] == kind), None)


def put(status: Object, kind: str, value: str, reason: str = "", message: str = "", **times: Any) -> None:
    """Set a condition, in its place where there is one of its type. Same status: same lastTransitionTime."""
    old = find(status, kind)
    since = old["lastTransitionTime"] if old and old["status"] == value else now()
    new = {"type": kind, "status": value, "lastTransitionTime": since} | times
    new |= {field: text for field, text in (("reason", reason), ("message", message)) if text}
    conditions = status.setdefault("conditions", [])
    if old:
        conditions[conditions.index(old)] = new
    else:
        conditions.append(new)


def remove(status: Object, kind: str) -> None:
    """Take the condition of this type away."""
    left = [condition for condition in status.pop("conditions", []) if condition["type"] != kind]
    if left:
        status["conditions"] = left
