"""The options of requests: what their query strings, and the body of a DELETE, may say (k8s.io meta/v1 *Options)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.apimachinery import errors
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.objects.selectors import Selector, field_selector, label_selector
from lab.objects.validation import fields

Query = Mapping[str, str]
SECONDS = re.compile("-?[0-9]{1,10}")
FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


@dataclass(frozen=True)
class WriteOptions:
    """Of create, update and patch."""

    dry_run: bool
    validation: str

    @classmethod
    def read(cls, query: Query) -> "WriteOptions":
        """Raises errors.Invalid."""
        found = _dry_run_errors(query)
        validation = query.get("fieldValidation") or "Warn"
        found += fields.one_of("Ignore", "Strict", "Warn")("fieldValidation", validation)
        _check(found)
        return cls(query.get("dryRun") == "All", validation)


@dataclass(frozen=True)
class DeleteOptions:
    """Of delete and deletecollection."""

    dry_run: bool
    grace: int | None
    finalizer: str  # what the propagation policy is done by: foregroundDeletion, orphan, or "" for the background
    uid: str

    @classmethod
    def read(cls, query: Query, body: Any) -> "DeleteOptions":
        """Raises errors.BadRequest and errors.Invalid."""
        if not isinstance(body, dict):
            raise errors.BadRequest("the body of a DELETE is a DeleteOptions object")
        options: Object = dict(query) | body
        if isinstance(options.get("dryRun"), list):
            options["dryRun"] = ",".join(map(str, options["dryRun"]))
        found = _dry_run_errors(options)
        policy = options.get("propagationPolicy") or "Background"
        found += fields.one_of("Background", "Foreground", "Orphan")("propagationPolicy", policy)
        grace = options.get("gracePeriodSeconds")
        if grace is not None and (not SECONDS.fullmatch(str(grace)) or abs(int(grace)) >= 2**31):
            raise errors.BadRequest(f"gracePeriodSeconds is a number of seconds, not {grace!r:.100}")
        _check(found)
        preconditions = options.get("preconditions", {})
        if not isinstance(preconditions, dict):
            raise errors.BadRequest("preconditions is an object with a uid")
        # A negative period counts as 1 s.
        return cls(
            bool(options.get("dryRun")),
            None if grace is None else int(grace) if int(grace) >= 0 else 1,
            FINALIZERS.get(str(policy), ""),
            str(preconditions.get("uid") or ""),
        )


@dataclass(frozen=True)
class ListOptions:
    """Of list, watch and deletecollection. Lists come whole, as a server may choose: the lab ignores `limit`."""

    labels: Selector
    fields: Selector
    version: int | None
    timeout: int | None
    bookmarks: bool
    initial_events: bool

    @classmethod
    def read(cls, query: Query, resource: Resource) -> "ListOptions":
        """Raises errors.BadRequest."""
        return cls(
            label_selector(query.get("labelSelector", "")),
            field_selector(query.get("fieldSelector", ""), resource),
            _number(query, "resourceVersion"),
            _number(query, "timeoutSeconds"),
            as_bool(query, "allowWatchBookmarks"),
            as_bool(query, "sendInitialEvents"),
        )

    def selects(self, obj: Object) -> bool:
        return self.labels(obj) and self.fields(obj)


def as_bool(query: Query, name: str) -> bool:
    """As Kubernetes reads booleans in a query: there, and not false."""
    return name in query and query[name].lower() not in ("false", "0")


def _number(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise errors.BadRequest(f'{name}: Invalid value: "{text:.100}"; it is a number')
    return int(text)


def _dry_run_errors(options: Mapping[str, Any]) -> fields.Errors:
    return fields.one_of("All")("dryRun", options.get("dryRun") or "All")


def _check(found: fields.Errors) -> None:
    if found:
        raise fields.invalid_options("Options", "", found, "meta.k8s.io", "Options")
