"""Events: what happened to an object, in Kubernetes' words, as `kubectl describe` and `kubectl get events` show it.

Stands for client-go's tools/record: the same event again counts up instead of piling up, the oldest give way when
there are too many, and what was not seen for an hour is forgotten (the API server's --event-ttl).
"""

import asyncio
import datetime
import time
from collections import OrderedDict
from typing import Literal
from weakref import WeakKeyDictionary

from lab.apimachinery.namespaces import is_terminating
from lab.apimachinery.store import Object, Store, now

LIMIT = 1000  # events of components kept at a time
TTL = 3600.0  # seconds after which an event that was not repeated goes
SWEEP = 60.0  # seconds between two looks for expired events

Key = tuple[str, ...]

# The names of recorded events, the latest seen last. A name carries the time, as in Kubernetes, so that a list of
# events is in the order in which things happened.
_recorded: WeakKeyDictionary[Store, OrderedDict[Key, tuple[str, str]]] = WeakKeyDictionary()


def record(
    store: Store,
    obj: Object,
    kind: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    component: str,
    *,
    field_path: str = "",
) -> None:
    """Record an event about `obj`; `field_path` names a part of it, such as `spec.containers{server}`."""
    meta = obj["metadata"]
    namespace = meta.get("namespace", "default")
    if is_terminating(store, namespace):
        return  # nothing may be created in a namespace that is going away
    names = _recorded.setdefault(store, OrderedDict())
    key = (component, obj["kind"], namespace, meta["name"], meta["uid"], field_path, kind, reason, message)
    place = names.get(key)
    if place and (event := store.find("events", *place)):
        event["count"] += 1
        event["lastTimestamp"] = now()
        store.update("events", event)
        names.move_to_end(key)
        return
    involved = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    involved |= {"namespace": namespace} if "namespace" in meta else {}
    involved |= {"fieldPath": field_path} if field_path else {}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{meta['name']}.{time.time_ns():x}"},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "eventTime": None,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
    }
    store.create("events", event)
    names[key] = (namespace, event["metadata"]["name"])
    names.move_to_end(key)
    if len(names) > LIMIT:
        _, oldest = names.popitem(last=False)
        if store.find("events", *oldest):
            store.delete("events", *oldest)


async def run(store: Store) -> None:
    """Delete what was not seen for an hour, until cancelled."""
    while True:
        expire(store, datetime.datetime.now(datetime.UTC))
        await asyncio.sleep(SWEEP)


def expire(store: Store, at: datetime.datetime) -> None:
    """Delete the events that are over an hour old at this time."""
    for event in store.list("events"):
        meta = event["metadata"]
        last = event.get("lastTimestamp") or meta["creationTimestamp"]
        if (at - datetime.datetime.fromisoformat(last)).total_seconds() > TTL:
            store.delete("events", meta["namespace"], meta["name"])
