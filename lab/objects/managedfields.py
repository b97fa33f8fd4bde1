"""Who manages which field of an object: `metadata.managedFields`, and server-side apply by it (KEP-555).

Stands for k8s.io/apimachinery/pkg/util/managedfields. Only writes through the API are counted; the lab's own
controllers write to the store and manage nothing.
"""

import copy
import json
from typing import Any

from lab.apimachinery.errors import Conflict
from lab.apimachinery.schemas import Schema
from lab.apimachinery.store import Object, now
from lab.objects.fieldsets import Fields, Path, decode, encode, fields_of, merged, without, written

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SYSTEM = (
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
)


class Managers:
    """The entries of managedFields of one object, as sets of paths."""

    def __init__(self, obj: Object) -> None:
        entries = [e for e in obj["metadata"].get("managedFields", []) if e.get("manager") and e.get("operation")]
        self._entries = {_key(entry): entry for entry in entries}
        self._fields = {_key(entry): decode(entry.get("fieldsV1")) for entry in entries}

    def write(self, obj: Object) -> None:
        """Put them into an object's metadata."""
        entries = [
            entry | {"fieldsType": "FieldsV1", "fieldsV1": encode(self._fields[key])}
            for key, entry in self._entries.items()
            if self._fields[key]
        ]
        obj["metadata"].pop("managedFields", None)
        if entries:
            obj["metadata"]["managedFields"] = sorted(entries, key=_order)

    def changed(self, manager: str, operation: str, version: str, subresource: str, paths: set[Path]) -> None:
        """Let this manager manage these paths, and with Update those that it already does."""
        entry = {"manager": manager, "operation": operation, "apiVersion": version, "time": now()}
        entry |= {"subresource": subresource} if subresource else {}
        key = _key(entry)
        mine = paths | (self._fields.get(key, set()) if operation == "Update" else set())
        if mine != self._fields.get(key):
            self._entries[key], self._fields[key] = entry, mine

    def forget(self, paths: set[Path], but: str = "") -> None:
        """Take these paths from everyone, but for the one who applies as `but`."""
        for key in self._fields:
            if key[:2] != (but, "Apply"):
                self._fields[key] -= paths

    def applied_by(self, manager: str) -> set[Path]:
        """What this manager applied last."""
        return set().union(*(self._fields[key] for key in self._fields if key[:2] == (manager, "Apply")))

    def others(self, manager: str) -> list[tuple[str, set[Path]]]:
        """Everyone but who applies as `manager`, as a conflict names them, and what they manage."""
        return [(_name(self._entries[key]), self._fields[key]) for key in self._fields if key[:2] != (manager, "Apply")]


def track(old: Object | None, new: Object, schema: Schema, manager: str, subresource: str = "") -> None:
    """Write into `new` that this manager changed what differs from `old`."""
    before = _fields(old, schema) if old else {}
    after = _fields(new, schema)
    # A client may edit them, as kubectl does when it goes over to server-side apply; leaving them out keeps them.
    managers = Managers(old if old and "managedFields" not in new["metadata"] else new)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    managers.forget(changed | (before.keys() - after.keys()))
    if changed:
        managers.changed(manager, "Update", new["apiVersion"], subresource, changed)
    managers.write(new)


def apply(live: Object | None, applied: Object, schema: Schema, manager: str, *, force: bool) -> Object:
    """What becomes of `live` when a manager applies these fields and no longer those that it applied before.

    Raises Conflict where another manages a field and has set it to another value, unless forced.
    """
    applied = copy.deepcopy(applied)
    applied["metadata"].pop("managedFields", None)
    managers = Managers(live or {"metadata": {}})
    wanted = _fields(applied, schema)
    current = _fields(live, schema) if live else {}
    contested = {path for path, value in wanted.items() if path in current and current[path] != value}
    if not force:
        _check_conflicts(managers, manager, contested)
    managers.forget(contested, but=manager)
    left = managers.applied_by(manager) - wanted.keys()
    left -= set().union(*(paths for _, paths in managers.others(manager)))
    result = without(merged(live or {}, applied, schema), _outermost(left), schema)
    managers.changed(manager, "Apply", applied["apiVersion"], "", set(wanted))
    managers.write(result)
    annotations = result["metadata"].get("annotations", {})
    if manager == "kubectl" and LAST_APPLIED in annotations:
        # So that who goes back to client-side apply finds what was applied last.
        annotations[LAST_APPLIED] = json.dumps(applied, separators=(",", ":"), sort_keys=True) + "\n"
    found: Object = result
    return found


def _check_conflicts(managers: Managers, manager: str, contested: set[Path]) -> None:
    conflicts = [(name, path) for name, paths in managers.others(manager) for path in sorted(contested & paths)]
    if not conflicts:
        return
    number = f"{len(conflicts)} conflict{'s' if len(conflicts) > 1 else ''}"
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": written(path)}
        for name, path in conflicts
    ]
    if len(conflicts) == 1:
        text = f"conflict with {conflicts[0][0]}: {written(conflicts[0][1])}"
    else:
        names = sorted({name for name, _ in conflicts})
        text = "\n".join(
            f"conflicts with {name}:\n" + "\n".join(f"- {written(path)}" for other, path in conflicts if other == name)
            for name in names
        )
    raise Conflict(f"Apply failed with {number}: {text}", {"causes": causes})


def _fields(obj: Object, schema: Schema) -> Fields:
    """The fields that can be managed: not the type, the name and what the system fills in."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in SYSTEM}
    content = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")} | {"metadata": meta}
    fields = fields_of(content, schema)
    fields.pop(("f:metadata",), None)
    return fields


def _outermost(paths: set[Path]) -> set[Path]:
    """Those that are not inside another."""
    return {path for path in paths if not any(path[:i] in paths for i in range(1, len(path)))}


def _key(entry: Object) -> tuple[str, str, str]:
    return entry.get("manager", ""), entry.get("operation", ""), entry.get("subresource", "")


def _order(entry: Object) -> tuple[str, ...]:
    return tuple(entry.get(field, "") for field in ("operation", "time", "manager", "apiVersion", "subresource"))


def _name(entry: dict[str, Any]) -> str:
    """As Kubernetes names a manager in a conflict."""
    text = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    return text + (f" using {entry.get('apiVersion', '')}" if entry["operation"] == "Update" else "")
