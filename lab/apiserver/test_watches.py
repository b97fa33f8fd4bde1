"""Watches: what a client that selects objects is told, and from which version on."""

import asyncio
import json
import ssl
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest

from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Store
from lab.apiserver import watches
from lab.apiserver.representation import Representation
from lab.objects.options import ListOptions
from lab.testing import create, until
from lab.testing.hollow import HollowLab

MAPS = RESOURCES["configmaps"]
AS_IT_IS, TABLE = Representation(table=False), Representation(table=True)


@pytest.fixture
def store() -> Store:
    store = Store()
    create_map(store, "a", team="x")
    create_map(store, "b", team="y")
    return store


def create_map(store: Store, name: str, **labels: str) -> None:
    create(store, "configmaps", name, {"namespace": "default", "labels": labels})


def relabel(store: Store, name: str, **labels: str) -> None:
    store.mutate("configmaps", "default", name, lambda obj: obj["metadata"].update(labels=labels))


class Watching:
    """A watch, event by event."""

    def __init__(self, store: Store, representation: Representation = AS_IT_IS, /, **query: str) -> None:
        options = ListOptions.read({"watch": "1"} | query, MAPS)
        self._events = watches.watch(store, MAPS, "default", options, representation)

    async def __aenter__(self) -> "Watching":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()

    async def next(self) -> Any:
        return await asyncio.wait_for(anext(self._events), 20)

    async def names(self, number: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(number)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


async def test_initial_events_end_with_a_bookmark(store: Store) -> None:
    async with Watching(store, sendInitialEvents="true", allowWatchBookmarks="true") as watching:
        assert await watching.names(2) == [("ADDED", "a"), ("ADDED", "b")]
        bookmark = await watching.next()
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_bookmarks_come_however_busy_it_is_and_the_last_one_at_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_SECONDS", 0.01)
    since = str(store.version)
    seen: list[Any] = []
    async with Watching(store, resourceVersion=since, timeoutSeconds="1", allowWatchBookmarks="true") as watching:
        with suppress(StopAsyncIteration):
            while True:
                relabel(store, "a", number=str(len(seen)))
                seen.append(await watching.next())
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(versions)
    assert [event["type"] for event in seen].count("BOOKMARK") >= 3
    assert [event["type"] for event in seen[-2:]] == ["MODIFIED", "BOOKMARK"]
    assert versions[-1] == versions[-2]


async def test_a_table_says_its_columns_once(store: Store) -> None:
    async with Watching(store, TABLE) as watching:
        first, second = await watching.next(), await watching.next()
        assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert second["object"]["columnDefinitions"] is None
        assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_a_watch_that_is_given_up_leaves_nothing_behind(store: Store) -> None:
    async with Watching(store) as watching:
        await watching.next()
        waiting = asyncio.ensure_future(watching.names(2))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert store._watchers == set()


async def test_what_it_will_not_tell_does_not_bring_it_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "HISTORY", 5)
    async with Watching(store) as watching:
        await watching.names(2)
        for number in range(20):
            create(store, "configmaps", f"c{number}", {"namespace": "other"})
            create(store, "secrets", f"c{number}", {"namespace": "default"})
        create_map(store, "c")
        assert await watching.names(1) == [("ADDED", "c")]


async def test_one_that_nobody_reads_takes_no_memory_for_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "HISTORY", 5)
    store = Store(history=5)
    create_map(store, "a")
    async with Watching(store) as watching:
        await watching.next()
        tracemalloc.start()
        for number in range(200):
            relabel(store, "a", large=f"{number} ".ljust(50_000))
            labels = {"large": f"{number} ".ljust(50_000)}
            create(store, "secrets", f"s{number}", {"namespace": "default", "labels": labels})
            store.delete("secrets", "default", f"s{number}")
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 2_000_000  # of 20 MB that were written


async def test_a_client_that_does_not_read_is_told_to_list_again_when_it_does(
    lab: HollowLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "HISTORY", 5)
    create_map(lab.store, "a")
    tls = ssl.create_default_context(cadata=lab.credentials.ca)
    host, _, port = lab.server.removeprefix("https://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, limit=100_000)
    watched = f"/api/v1/configmaps?watch=1&resourceVersion={lab.store.version}"
    headers = ("Host: lab", f"Authorization: Bearer {lab.credentials.token}", "Connection: close")
    before = set(lab.store._watchers)
    writer.write("\r\n".join((f"GET {watched} HTTP/1.1", *headers, "", "")).encode())
    (watcher,) = await until(lambda: lab.store._watchers - before, "the watch is there")
    for number in range(1000):  # until the buffers of the connection are full
        relabel(lab.store, "a", large=f"{number} ".ljust(100_000))
        await asyncio.sleep(0)
        if watcher._behind:
            break
    told = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    events = [json.loads(line) for line in told.splitlines() if line.startswith(b"{")]
    assert {event["type"] for event in events[:-1]} == {"MODIFIED"}
    assert (events[-1]["type"], events[-1]["object"]["code"]) == ("ERROR", 410)
