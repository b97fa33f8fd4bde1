"""Watches: what a client's cache rests on."""

import asyncio
from collections.abc import AsyncIterator

from lab.conformance.api import Api, Object
from lab.conformance.manifests import configmap


async def take(events: AsyncIterator[Object], count: int) -> list[tuple[str, str]]:
    """The next events, each as (type, name)."""
    async with asyncio.timeout(20):
        taken = [await anext(events) for _ in range(count)]
    return [(event["type"], event["object"]["metadata"]["name"]) for event in taken]


async def test_a_watch_from_a_lists_version_tells_only_what_came_after(api: Api) -> None:
    await api.create("configmaps", configmap("old"))
    since = await api.version()
    await api.create("configmaps", configmap("new"))
    async with api.watch("configmaps", resourceVersion=since) as events:
        assert await take(events, 1) == [("ADDED", "new")]


async def test_a_watch_without_a_version_begins_with_what_exists(api: Api) -> None:
    await api.create("configmaps", configmap("one"))
    async with api.watch("configmaps", fieldSelector="metadata.name!=kube-root-ca.crt") as events:
        assert await take(events, 1) == [("ADDED", "one")]
        await api.create("configmaps", configmap("two"))
        assert await take(events, 1) == [("ADDED", "two")]


async def test_a_watch_tells_each_change_in_its_order_and_the_last_state_of_what_is_deleted(api: Api) -> None:
    since = await api.version()
    await api.create("configmaps", configmap("one"))
    for i in range(3):
        await api.patch("configmaps", "one", {"data": {"count": str(i)}})
    await api.delete("configmaps", "one")
    async with api.watch("configmaps", resourceVersion=since) as events, asyncio.timeout(20):
        seen = [await anext(events) for _ in range(5)]
    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]
    assert [event["object"].get("data") for event in seen] == [None, *({"count": c} for c in "0122")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))


async def test_a_watch_goes_on_where_a_broken_one_ended_with_nothing_lost_or_repeated(api: Api) -> None:
    since = await api.version()
    for i in range(4):
        await api.create("configmaps", configmap(f"c{i}"))
    async with api.watch("configmaps", resourceVersion=since) as events:
        await anext(events)
        last = (await anext(events))["object"]["metadata"]["resourceVersion"]
    await api.create("configmaps", configmap("c4"))
    async with api.watch("configmaps", resourceVersion=last) as events:
        assert await take(events, 3) == [("ADDED", "c2"), ("ADDED", "c3"), ("ADDED", "c4")]


async def test_a_watch_tells_of_its_own_namespace_only(api: Api) -> None:
    other = configmap("other")
    async with api.watch("configmaps", resourceVersion=await api.version()) as events:
        await api.request(
            "POST",
            "/api/v1/namespaces/default/configmaps",
            other | {"metadata": {"generateName": "other-"}},
            params={"dryRun": "All"},
        )
        await api.create("configmaps", configmap("own"))
        assert await take(events, 1) == [("ADDED", "own")]


async def test_an_object_that_leaves_a_watchs_labels_is_deleted_for_it_and_added_when_it_comes_back(api: Api) -> None:
    async with api.watch("configmaps", resourceVersion=await api.version(), labelSelector="colour=red") as events:
        await api.create("configmaps", configmap("one"))
        for colour in ("red", "blue", "red"):
            await api.patch("configmaps", "one", {"metadata": {"labels": {"colour": colour}}})
        assert await take(events, 3) == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "one")]


async def test_a_watch_ends_by_itself_after_its_timeout(api: Api) -> None:
    async with api.watch("configmaps", resourceVersion=await api.version(), timeoutSeconds="1") as events:
        async with asyncio.timeout(10):
            assert [event async for event in events] == []


async def test_a_watch_ends_with_a_bookmark_of_how_far_it_came(api: Api) -> None:
    since = await api.version()
    query = {"resourceVersion": since, "timeoutSeconds": "4", "allowWatchBookmarks": "true"}
    async with api.watch("configmaps", **query) as events, asyncio.timeout(20):
        await api.create("configmaps", configmap("one"))
        seen = [event async for event in events]
    assert [seen[0]["type"], *{event["type"] for event in seen[1:]}] == ["ADDED", "BOOKMARK"]
    reached = seen[-1]["object"]["metadata"]["resourceVersion"]
    assert int(reached) >= int(seen[0]["object"]["metadata"]["resourceVersion"])
    async with api.watch("configmaps", resourceVersion=reached) as events:
        await api.create("configmaps", configmap("two"))
        assert await take(events, 1) == [("ADDED", "two")]
