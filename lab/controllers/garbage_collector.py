"""The garbage collector: what belongs to nothing any more is deleted.

Source: k8s.io/kubernetes/pkg/controller/garbagecollector. `kubectl delete --cascade` chooses: `background` deletes the
owner at once and its dependents after it; `foreground` (finalizer `foregroundDeletion`) the dependents first;
`orphan` (finalizer `orphan`) lets them live. In the foreground an owner waits for all its dependents, also for those
without blockOwnerDeletion.
"""

from collections import defaultdict

from lab.apimachinery.resources import RESOURCES, resource_of
from lab.apimachinery.store import Event, Object, Store
from lab.apimachinery.workqueue import Key, control

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
WATCHED = [plural for plural in RESOURCES if plural != "events"]


async def run(store: Store) -> None:
    """Collect garbage, until cancelled."""
    collector = GarbageCollector(store)
    await control(store, WATCHED, collector.affected, collector.reconcile)


def _waits(owner: Object | None) -> bool:
    """Whether an owner is being deleted and waits for its dependents' end."""
    meta = owner["metadata"] if owner else {}
    return "deletionTimestamp" in meta and FOREGROUND in meta.get("finalizers", [])


class GarbageCollector:
    """Follows who belongs to whom; a key is an object's resource, namespace and name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dependents: defaultdict[str, set[Key]] = defaultdict(set)  # by the owner's uid

    def affected(self, event: Event) -> list[Key]:
        """The keys that this event may make garbage, or let go on."""
        meta = event.object["metadata"]
        key = (event.resource, meta.get("namespace", ""), meta["name"])
        owners = meta.get("ownerReferences", [])
        before = event.previous["metadata"].get("ownerReferences", []) if event.previous else []
        for reference in before:
            self._dependents[reference["uid"]].discard(key)
        if event.type == "DELETED":
            waiting = [k for reference in owners if (k := self._key_of(reference, meta.get("namespace", "")))]
            return [*waiting, *self._dependents.pop(meta["uid"], ())]
        for reference in owners:
            self._dependents[reference["uid"]].add(key)
        deleted = "deletionTimestamp" in meta
        return [key, *self._dependents[meta["uid"]]] if deleted else [key] if owners else []

    def _key_of(self, reference: Object, namespace: str) -> Key | None:
        """Where the owner of an object in this namespace is, or None for a kind that the lab has not."""
        resource = resource_of(reference)
        return (resource.plural, namespace if resource.namespaced else "", reference["name"]) if resource else None

    def reconcile(self, key: Key) -> None:
        """Delete this object if its owners are gone; if it is itself being deleted, see to its dependents."""
        obj = self._store.find(*key)
        if obj is None:
            return
        finalizers = obj["metadata"].get("finalizers", [])
        if "deletionTimestamp" in obj["metadata"]:
            if ORPHAN in finalizers:
                self._orphan_dependents(key, obj)
            elif FOREGROUND in finalizers and not self._dependents[obj["metadata"]["uid"]]:
                self._drop_finalizer(key, FOREGROUND)
            return
        references = obj["metadata"].get("ownerReferences", [])
        owners = [self._owner(reference, obj) for reference in references]
        living = [r for r, owner in zip(references, owners, strict=True) if owner and not _waits(owner)]
        if references and not living:
            if any(map(_waits, owners)) and self._dependents[obj["metadata"]["uid"]]:
                obj["metadata"]["finalizers"] = [*finalizers, FOREGROUND]  # so its owner waits for its dependents too
                self._store.update(key[0], obj)
            self._store.delete(*key)
        elif living != references:
            obj["metadata"]["ownerReferences"] = living
            self._store.update(key[0], obj)

    def _owner(self, reference: Object, obj: Object) -> Object | None:
        """The owner that a reference means; of a kind that the lab has not, it is taken to exist."""
        key = self._key_of(reference, obj["metadata"].get("namespace", ""))
        if key is None:
            return {"metadata": {}}
        owner = self._store.find(*key)
        return owner if owner and owner["metadata"]["uid"] == reference["uid"] else None

    def _orphan_dependents(self, key: Key, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for dependent in sorted(self._dependents[uid]):
            if obj := self._store.find(*dependent):
                references = obj["metadata"].get("ownerReferences", [])
                obj["metadata"]["ownerReferences"] = [r for r in references if r["uid"] != uid]
                self._store.update(dependent[0], obj)
        self._drop_finalizer(key, ORPHAN)

    def _drop_finalizer(self, key: Key, finalizer: str) -> None:
        obj = self._store.get(*key)
        obj["metadata"]["finalizers"].remove(finalizer)
        self._store.update(key[0], obj)
