"""Watches: a stream of what happens to the objects that a client selects.

Stands for k8s.io/apiserver/pkg/endpoints/handlers/watch.go and the watch cache. Source of the rules: "Efficient
detection of changes" in Kubernetes' API concepts, KEP-956 (bookmarks), KEP-3157 (streaming lists).
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

from lab.apimachinery.errors import Expired
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import HISTORY, Event, Object, Store
from lab.apiserver.representation import Representation
from lab.objects.options import ListOptions

BOOKMARK_SECONDS = 60.0
TIMEOUT_SECONDS = 1800  # at least this long without being told how long; up to twice that
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


async def watch(
    store: Store, resource: Resource, namespace: str | None, options: ListOptions, representation: Representation
) -> AsyncGenerator[Object, None]:
    """The events as they go over the wire, until the timeout."""
    stream = _Stream(resource, options, representation)
    # Version 0 is "any", and as without one the stream begins with what there is.
    since = options.version or None
    try:
        start = store.version if since is None else since
        with store.watch([resource.plural], start, namespace=namespace, limit=HISTORY) as events:
            if since is None or options.initial_events:
                for obj in store.list(resource.plural, namespace):
                    if options.selects(obj):
                        yield stream.event("ADDED", obj)
            if options.initial_events:
                yield stream.bookmark(store.version, INITIAL_EVENTS_END)
            async with aclosing(_follow(store, events, stream, options)) as answers:
                async for answer in answers:
                    yield answer
    except Expired as error:
        yield {"type": "ERROR", "object": error.status()}


async def _follow(
    store: Store, events: AsyncIterator[Event], stream: "_Stream", options: ListOptions
) -> AsyncGenerator[Object, None]:
    """The events, and for who asks for them bookmarks: one a minute, however busy it is, and one at the end."""
    loop = asyncio.get_running_loop()
    timeout = options.timeout or TIMEOUT_SECONDS + secrets.randbelow(TIMEOUT_SECONDS)
    end = loop.time() + timeout
    due = min(end, loop.time() + BOOKMARK_SECONDS)
    following = asyncio.ensure_future(anext(events))
    try:
        while True:
            version = store.version  # all up to it has been seen if nothing comes now
            await asyncio.wait([following], timeout=max(0.0, due - loop.time()))
            if following.done():
                event = following.result()
                version = event.version
                if answer := stream.translated(event):
                    yield answer
                following = asyncio.ensure_future(anext(events))
            if loop.time() >= due:
                if options.bookmarks:
                    yield stream.bookmark(version)
                if due == end:
                    return
                due = min(end, loop.time() + BOOKMARK_SECONDS)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, Expired):
            await following


class _Stream:
    """Turns the store's events into those of one watch."""

    def __init__(self, resource: Resource, options: ListOptions, representation: Representation) -> None:
        self._resource, self._options, self._representation = resource, options, representation
        self._headers = True  # a watched table says its columns once

    def event(self, kind: str, obj: Object) -> Object:
        shown = self._representation.one(self._resource, obj, headers=self._headers)
        self._headers = False
        return {"type": kind, "object": shown}

    def translated(self, event: Event) -> Object | None:
        """An object that comes to be selected is added, one that no longer is, deleted; None for what is neither."""
        now = event.type != "DELETED" and self._options.selects(event.object)
        before = event.previous is not None and self._options.selects(event.previous)
        if now:
            return self.event("MODIFIED" if before else "ADDED", event.object)
        return self.event("DELETED", self._last(event)) if before else None

    def _last(self, event: Event) -> Object:
        """The object as it was when last selected, with the version of the change."""
        last = event.previous if event.type == "MODIFIED" and event.previous else event.object
        last["metadata"]["resourceVersion"] = str(event.version)
        return last

    def bookmark(self, version: int, annotations: dict[str, str] | None = None) -> Object:
        meta: Object = {"resourceVersion": str(version)} | ({"annotations": annotations} if annotations else {})
        if self._representation.table:
            columns = self._representation.many(self._resource, [], {"resourceVersion": str(version)})
            return {"type": "BOOKMARK", "object": columns}
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.group_version, "metadata": meta}
        return {"type": "BOOKMARK", "object": obj}
