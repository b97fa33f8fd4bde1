"""The lab's etcd: objects in memory, versioned and watched. Every component talks to the others only through it.

Semantics are those of the Kubernetes API: one resourceVersion for the whole store, optimistic concurrency on it,
`generation` that counts changes of what was asked for, finalizers, pods that are deleted gracefully, and watches that
resume from a version or fail with 410 Gone when it has been compacted away.

Calls are synchronous: they run whole in the event loop, so a component sees no state between two of its own lines.
Objects are JSON as on the wire; what goes in and what comes out are copies.
"""

import asyncio
import copy
import datetime
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from lab.apimachinery import errors
from lab.apimachinery.resources import RESOURCES

Object = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace ("" where there is none), name

UNGENERATED = ("namespaces", "nodes", "services")  # kinds whose changes Kubernetes doesn't count

HISTORY = 4096  # events kept for watches to resume from


@dataclass(frozen=True)
class Event:
    """One change. `previous` is the object before it (None for ADDED), so that a selector can tell who leaves."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    object: Object
    previous: Object | None
    version: int

    @property
    def resource(self) -> str:
        return self.key[0]


class _Watcher:
    """The events that one watch wants and has not taken yet."""

    def __init__(self, resources: Iterable[str], namespace: str | None, limit: int | None) -> None:
        self._resources, self._namespace, self._limit = frozenset(resources), namespace, limit
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._behind = False

    def wants(self, key: Key) -> bool:
        return key[0] in self._resources and self._namespace in (None, key[1])

    def put(self, event: Event) -> None:
        self._behind = self._behind or len(self._events) == self._limit
        if self._behind:
            self._events.clear()
        else:
            self._events.append(event)
        self._news.set()

    async def events(self) -> AsyncIterator[Event]:
        while True:
            while self._events:
                yield copy.deepcopy(self._events.popleft())
            if self._behind:
                raise errors.Expired(f"too old resource version: the watch fell {self._limit} events behind")
            self._news.clear()
            await self._news.wait()


def _finalizers(obj: Object) -> list[str]:
    """What has to be done before the object may go. A Namespace has them in its spec, as in Kubernetes."""
    own: list[str] = obj["metadata"].get("finalizers", [])
    return own + obj.get("spec", {}).get("finalizers", []) if obj.get("kind") == "Namespace" else own


def _drop_empty(meta: Object) -> None:
    """Collections with nothing in them aren't there, as Kubernetes writes objects."""
    for field in ("annotations", "finalizers", "labels", "ownerReferences"):
        if not meta.get(field):
            meta.pop(field, None)


def now() -> str:
    """The time as Kubernetes writes it: UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects by resource, namespace and name."""

    def __init__(self, history: int = HISTORY) -> None:
        self._objects: dict[Key, Object] = {}
        self._version = 0
        self._events: deque[Event] = deque(maxlen=history)
        self._compacted = 0  # the newest version that no watch can resume from any more
        self._watchers: set[_Watcher] = set()

    @property
    def version(self) -> int:
        """The resourceVersion of the newest change."""
        return self._version

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """One object. Raises errors.NotFound."""
        return copy.deepcopy(self._get(resource, namespace, name))

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        """One object, or None."""
        return copy.deepcopy(self._objects.get((resource, namespace, name)))

    def again(self, resource: str, obj: Object) -> Object | None:
        """An object as it is now; None where it is gone, also if another has its name."""
        meta = obj["metadata"]
        found = self.find(resource, meta.get("namespace", ""), meta["name"])
        return found if found and found["metadata"]["uid"] == meta["uid"] else None

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, in one namespace or in all, sorted by namespace and name as Kubernetes does."""
        found = sorted(k for k in self._objects if k[0] == resource and namespace in (None, k[1]))
        return [copy.deepcopy(self._objects[key]) for key in found]

    def create(self, resource: str, obj: Object) -> Object:
        """Store a new object and return it with its metadata filled in. Raises errors.AlreadyExists.

        A uid that it comes with is kept: the API server gives one to a Job, whose selector names it.
        """
        obj = copy.deepcopy(obj)
        meta = obj.setdefault("metadata", {})
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{uuid.uuid4().hex[:5]}"
        key = (resource, meta.get("namespace", ""), meta["name"])
        if key in self._objects:
            message = f'{RESOURCES[resource].qualified} "{meta["name"]}" already exists'
            raise errors.AlreadyExists(message, RESOURCES[resource].details(meta["name"]))
        meta.setdefault("uid", str(uuid.uuid4()))
        meta["creationTimestamp"] = now()
        meta.pop("deletionTimestamp", None)
        _drop_empty(meta)
        if "spec" in obj and resource not in UNGENERATED:
            meta["generation"] = 1
        return self._commit("ADDED", key, obj)

    def update(self, resource: str, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object, or with subresource="status" its status alone; without it, its status stays as it is.

        A change that changes nothing makes no event. Raises errors.NotFound, and errors.Conflict where
        metadata.resourceVersion or metadata.uid is given and is not the stored one.
        """
        meta = obj["metadata"]
        key = (resource, meta.get("namespace", ""), meta["name"])
        old = self._get(*key)
        self._check_preconditions(resource, old, meta)
        if subresource == "status":
            new = copy.deepcopy(old)
            new["status"] = copy.deepcopy(obj.get("status", {}))
        else:
            new = self._replaced(resource, old, obj)
        if new == old:
            return copy.deepcopy(old)
        deleting = "deletionTimestamp" in new["metadata"]
        if resource == "pods":  # its last finalizer may go before the kubelet has ended it, or after
            deleting = deleting and new["metadata"]["deletionGracePeriodSeconds"] == 0 and bool(_finalizers(old))
        if deleting and not _finalizers(new):
            return self._commit("DELETED", key, new)
        return self._commit("MODIFIED", key, new)

    def mutate(
        self, resource: str, namespace: str, name: str, change: Callable[[Object], None], *, subresource: str = ""
    ) -> Object:
        """Read, let `change` edit the copy in place, write. Raises errors.NotFound."""
        obj = self.get(resource, namespace, name)
        change(obj)
        return self.update(resource, obj, subresource=subresource)

    def delete(
        self, resource: str, namespace: str, name: str, *, grace: int | None = None, uid: str | None = None
    ) -> Object:
        """Delete an object; return its last state.

        A Pod on a node, unless grace is 0, and an object with finalizers are only marked: a pod by deletionTimestamp
        and deletionGracePeriodSeconds (`grace`, or else its terminationGracePeriodSeconds, or 30), whereupon the
        kubelet stops it and deletes it with grace=0. Raises errors.NotFound and errors.Conflict (another uid).
        """
        old = self._get(resource, namespace, name)
        self._check_preconditions(resource, old, {"uid": uid} if uid else {})
        new = copy.deepcopy(old)
        meta = new["metadata"]
        graceful = resource == "pods" and grace != 0 and "nodeName" in new["spec"]
        if graceful:
            wanted = grace if grace is not None else new["spec"].get("terminationGracePeriodSeconds", 30)
            if "deletionTimestamp" in meta and wanted >= meta["deletionGracePeriodSeconds"]:
                return new
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=wanted)
            meta["deletionTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
            meta["deletionGracePeriodSeconds"] = wanted
            return self._commit("MODIFIED", (resource, namespace, name), new)
        if _finalizers(new):
            if meta.get("deletionGracePeriodSeconds") == 0:
                return new
            meta.setdefault("deletionTimestamp", now())
            meta["deletionGracePeriodSeconds"] = 0
            return self._commit("MODIFIED", (resource, namespace, name), new)
        return self._commit("DELETED", (resource, namespace, name), new)

    def fork(self) -> "Store":
        """A store with the same objects, on which to try what a request would do (dryRun)."""
        fork = Store()
        fork._objects, fork._version = dict(self._objects), self._version
        return fork

    def compact(self) -> None:
        """Forget all history: every watch that would resume from a version before now gets 410."""
        self._events.clear()
        self._compacted = self._version

    @contextmanager
    def watch(
        self,
        resources: Iterable[str],
        since: int | None = None,
        *,
        namespace: str | None = None,
        limit: int | None = None,
    ) -> Iterator[AsyncIterator[Event]]:
        """Events of these resources: all after version `since`, or without it ADDED for what is there and then on.

        Raises errors.Expired where `since` has been compacted away, and while the events are read where more than
        `limit` of them wait: for readers whose pace is not the lab's. Use: `with store.watch(["pods"]) as events:`.
        """
        watcher = _Watcher(resources, namespace, limit)
        if since is None:
            found = sorted(self._objects.items(), key=lambda item: item[0])
            past = [Event("ADDED", key, obj, None, int(obj["metadata"]["resourceVersion"])) for key, obj in found]
        elif since < self._compacted:
            raise errors.Expired(f"too old resource version: {since} ({self._compacted})")
        else:
            past = [event for event in self._events if event.version > since]
        for event in past:
            if watcher.wants(event.key):
                watcher.put(event)
        self._watchers.add(watcher)
        try:
            yield watcher.events()
        finally:
            self._watchers.discard(watcher)

    def _get(self, resource: str, namespace: str, name: str) -> Object:
        try:
            return self._objects[resource, namespace, name]
        except KeyError:
            message = f'{RESOURCES[resource].qualified} "{name}" not found'
            raise errors.NotFound(message, RESOURCES[resource].details(name)) from None

    def _check_preconditions(self, resource: str, old: Object, meta: Object) -> None:
        name = old["metadata"]["name"]
        start = f'Operation cannot be fulfilled on {RESOURCES[resource].qualified} "{name}": '
        if meta.get("uid") and meta["uid"] != old["metadata"]["uid"]:
            ours, theirs = meta["uid"], old["metadata"]["uid"]
            message = f"{start}Precondition failed: UID in precondition: {ours}, UID in object meta: {theirs}"
            raise errors.Conflict(message, RESOURCES[resource].details(name))
        if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
            remedy = "please apply your changes to the latest version and try again"
            message = f"{start}the object has been modified; {remedy}"
            raise errors.Conflict(message, RESOURCES[resource].details(name))

    @staticmethod
    def _replaced(resource: str, old: Object, obj: Object) -> Object:
        new = copy.deepcopy(obj)
        if RESOURCES[resource].status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copy.deepcopy(old["status"])
        meta = new["metadata"]
        _drop_empty(meta)
        kept = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")
        for field in (*kept, "generation"):
            meta.pop(field, None)
            if field in old["metadata"]:
                meta[field] = old["metadata"][field]
        if "generation" in meta and new.get("spec") != old.get("spec"):
            meta["generation"] += 1
        return new

    def _commit(self, kind: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, obj: Object) -> Object:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        previous = self._objects.get(key)
        if kind == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = obj
        if len(self._events) == self._events.maxlen:
            self._compacted = self._events[0].version
        event = Event(kind, key, obj, previous, self._version)  # what is stored never changes: writing replaces it
        self._events.append(event)
        for watcher in self._watchers:
            if watcher.wants(key):
                watcher.put(event)
        return copy.deepcopy(obj)
