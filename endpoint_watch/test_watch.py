"""The stream of snapshots, over real HTTP: what it tells, and how it bears an API that fails in every way."""

import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from endpoint_watch import Api, Snapshot, backoff, connect, reflector, watch
from endpoint_watch.endpoints import SERVICE_NAME
from testing.endpoint_watch import (
    Answer,
    FakeApi,
    bookmark,
    error,
    kubeconfig,
    silence,
    slice_of,
    status,
    stream,
    until,
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that no test has to wait for; and a watch that ends at once is a short one on a busy machine, too."""
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(reflector, "SHORT", 5.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pause is too long for the test: it must go on at once. A watch of 0.1 s is none of the short ones."""
    monkeypatch.setattr(backoff, "FIRST", 60.0)
    monkeypatch.setattr(reflector, "SHORT", 0.05)


class Seen:
    """The snapshots so far."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    @property
    def told(self) -> list[str]:
        """Each as "SERVICE ADDRESS…", with a "?" in the end where it is stale."""
        return [
            " ".join([each.service, *(endpoint.address for endpoint in each.endpoints)]) + "?" * each.stale
            for each in self.snapshots
        ]

    async def until(self, *told: str) -> None:
        """Wait until just these have come."""
        with suppress(AssertionError):
            await until("snapshots", lambda: len(self.told) >= len(told))
        assert self.told == list(told)


@asynccontextmanager
async def watching(api: Api, *services: str, **more: Any) -> AsyncIterator[Seen]:
    """What is seen meanwhile. Fails where the watch raises."""
    seen = Seen()

    async def follow() -> None:
        async for snapshot in watch(api, services, port="grpc", **more):
            seen.snapshots.append(snapshot)

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        [ended] = await asyncio.gather(following, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended


# What it tells


async def test_it_tells_what_there_is_and_then_each_change(api: Api, server: FakeApi) -> None:
    server.put(slice_of("web-1", "web", "10.0.0.1"))
    async with watching(api, "web") as seen:
        await seen.until("web 10.0.0.1")
        server.put(slice_of("web-2", "web", "10.0.0.2"))
        await seen.until("web 10.0.0.1", "web 10.0.0.1 10.0.0.2")
        server.put(slice_of("web-1", "web"))
        server.delete("web-2")
        await seen.until("web 10.0.0.1", "web 10.0.0.1 10.0.0.2", "web 10.0.0.2", "web")
    assert server.verbs == ["list", "watch"]
    assert [each.stale for each in seen.snapshots] == [False] * 4
    heard = [each.heard for each in seen.snapshots]
    assert heard == sorted(heard)
    assert time.monotonic() - 5 < heard[0] <= time.monotonic()


async def test_a_service_that_has_no_endpoints_or_is_not_there_is_told_as_empty(api: Api, server: FakeApi) -> None:
    server.put(slice_of("empty-1", "empty"))
    async with watching(api, "empty", "absent") as seen:
        await seen.until("absent", "empty")
        server.put(slice_of("absent-1", "absent", "10.0.0.1"))
        await seen.until("absent", "empty", "absent 10.0.0.1")


async def test_a_slice_that_is_given_to_another_service_leaves_the_first(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "blue", "10.0.0.1"))
    async with watching(api, "blue", "green") as seen:
        await seen.until("blue 10.0.0.1", "green")
        server.put(slice_of("one", "green", "10.0.0.1"))
        await seen.until("blue 10.0.0.1", "green", "blue", "green 10.0.0.1")
    async with watching(api, "green") as seen:
        await seen.until("green 10.0.0.1")
        server.put(slice_of("one", "blue", "10.0.0.1"))  # which is not watched
        await seen.until("green 10.0.0.1", "green")


async def test_a_change_that_changes_no_endpoint_is_not_told(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    async with watching(api, "web") as seen:
        await seen.until("web 10.0.0.1")
        server.put(slice_of("one", "web", "10.0.0.1"))
        server.put(slice_of("two", "web", "10.0.0.1"))
        server.delete("one")
        server.put(slice_of("three", "web", "10.0.0.3"))
        await seen.until("web 10.0.0.1", "web 10.0.0.1 10.0.0.3")


async def test_whether_a_service_is_there_is_whether_it_has_a_slice(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "web"))
    async with watching(api, "web", "absent") as seen:
        await seen.until("absent", "web")
        assert [each.there for each in seen.snapshots] == [False, True]
        server.delete("one")
        await seen.until("absent", "web", "web")
        server.put(slice_of("one", "web"))
        await seen.until("absent", "web", "web", "web")
        assert [each.there for each in seen.snapshots[2:]] == [False, True]


async def test_a_service_is_there_while_one_of_its_slices_is(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "web"))
    server.put(slice_of("two", "web"))
    async with watching(api) as seen:
        await seen.until("web")
        server.delete("one")
        server.put(slice_of("two", "web", "10.0.0.2"))
        server.delete("two")
        await seen.until("web", "web 10.0.0.2", "web")
        assert [each.there for each in seen.snapshots] == [True, True, False]


async def test_a_service_that_is_deleted_while_the_api_is_away_is_not_there_after(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    async with watching(api) as seen:
        await seen.until("web 10.0.0.1")
        await until("a watch", lambda: server.watching)
        await server.stop()
        await seen.until("web 10.0.0.1", "web 10.0.0.1?")
        server.delete("one")
        server.forget()
        await server.start()
        await until("its end", lambda: seen.told[-1:] == ["web"])
        assert (seen.snapshots[-1].there, seen.snapshots[-1].stale) == (False, False)


async def test_a_service_that_is_no_more_is_not_told_again(api: Api, server: FakeApi) -> None:
    """Of those that come and go, nothing stays."""
    server.put(slice_of("one", "blue", "10.0.0.1"))
    server.put(slice_of("two", "green", "10.0.0.2"))
    async with watching(api) as seen:
        await seen.until("blue 10.0.0.1", "green 10.0.0.2")
        await until("a watch", lambda: server.watching)
        server.delete("one")
        await seen.until("blue 10.0.0.1", "green 10.0.0.2", "blue")
        await server.stop()
        await seen.until("blue 10.0.0.1", "green 10.0.0.2", "blue", "green 10.0.0.2?")
        await server.start()
        await seen.until("blue 10.0.0.1", "green 10.0.0.2", "blue", "green 10.0.0.2?", "green 10.0.0.2")
        server.put(slice_of("one", "blue", "10.0.0.1"))
        await until("it is back", lambda: seen.told[-1:] == ["blue 10.0.0.1"])


# That all has been told


async def test_that_all_has_been_told_is_known_after_the_last_of_the_first_list(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "blue", "10.0.0.1"))
    server.put(slice_of("two", "green", "10.0.0.2"))
    listed = asyncio.Event()
    async with aclosing(watch(api, port="grpc", listed=listed)) as snapshots:
        told = []
        for _ in range(2):
            told.append((await anext(snapshots)).service)
            assert not listed.is_set()
        assert told == ["blue", "green"]
        following = asyncio.ensure_future(anext(snapshots))
        await asyncio.wait_for(listed.wait(), 20)
        server.put(slice_of("three", "white", "10.0.0.3"))
        assert (await following).service == "white"


async def test_that_there_is_nothing_is_known_too(api: Api, server: FakeApi) -> None:
    listed = asyncio.Event()
    async with watching(api, listed=listed) as seen:
        await asyncio.wait_for(listed.wait(), 20)
        assert seen.told == []


@pytest.mark.parametrize("code", [403, 410, 503])
async def test_that_all_has_been_told_is_not_known_before_a_list_that_succeeds(
    api: Api, server: FakeApi, code: int
) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    listed, known = asyncio.Event(), []

    async def refusal(request: web.Request) -> web.StreamResponse:
        known.append(listed.is_set())
        return await status(code)(request)

    server.next = [refusal, refusal, refusal]
    async with watching(api, listed=listed) as seen:
        await asyncio.wait_for(listed.wait(), 20)
        assert seen.told == ["web 10.0.0.1"]
    assert known == [False] * 3


async def test_without_names_all_services_of_the_namespace_are_watched(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "blue", "10.0.0.1"))
    async with watching(api) as seen:
        await seen.until("blue 10.0.0.1")
        server.put(slice_of("two", "green", "10.0.0.2"))
        server.delete("one")
        await seen.until("blue 10.0.0.1", "green 10.0.0.2", "blue")
    assert {query["labelSelector"] for query in server.asked} == {SERVICE_NAME}


async def test_a_watch_is_asked_for_with_an_end_bookmarks_the_services_and_the_lists_version(
    api: Api, server: FakeApi
) -> None:
    async with watching(api, "blue", "green"):
        await until("a watch", lambda: server.watching)
    listed, watched = server.asked
    selector = {"labelSelector": f"{SERVICE_NAME} in (blue,green)"}
    assert listed == selector
    least, most = reflector.WATCH
    assert least <= int(watched.pop("timeoutSeconds")) <= most
    assert watched == selector | {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": server.version}


async def test_another_namespace_than_the_kubeconfigs_may_be_named(
    api: Api, server: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(api, "web", namespace="shop") as seen:
        await seen.until("web")
    async with watching(api, "web", namespace="other") as seen:
        await until("a refusal", lambda: "answers 404" in caplog.text)
    assert seen.told == []


async def test_what_is_odd_in_text_does_not_end_a_line(api: Api, server: FakeApi, patient: None) -> None:
    """Of the characters at which Python ends lines, JSON escapes only those of ASCII."""
    odd = slice_of("one", "web", "10.0.0.1")
    odd["metadata"] |= {"annotations": {"note": "a\u0085b\u2028c"}, "resourceVersion": "12"}
    line = json.dumps({"type": "ADDED", "object": odd}, ensure_ascii=False)
    server.next = [None, stream(line[:100], line[100:] + "\n", lasting=60)]
    async with watching(api, "web") as seen:
        await seen.until("web", "web 10.0.0.1")


# What it bears


def added(version: str, *slices: Any) -> list[Any]:
    """The events of these slices."""
    return [
        {"type": "ADDED", "object": each | {"metadata": each["metadata"] | {"resourceVersion": version}}}
        for each in slices
    ]


async def test_a_watch_goes_on_from_the_last_bookmark(api: Api, server: FakeApi, patient: None) -> None:
    server.next = [None, stream(bookmark("77"), lasting=0.1), silence]
    async with watching(api, "web") as seen:
        await until("the next watch", lambda: len(server.asked) == 3)
    assert server.asked[2]["resourceVersion"] == "77"
    assert server.verbs == ["list", "watch", "watch"]
    assert seen.told == ["web"]


async def test_a_watch_that_ends_well_goes_on_at_once_from_the_last_event(
    api: Api, server: FakeApi, patient: None, caplog: pytest.LogCaptureFixture
) -> None:
    server.next = [None, stream(*added("11", slice_of("one", "web", "10.0.0.1")), lasting=0.1)]
    async with watching(api, "web") as seen:
        await until("the next watch", lambda: len(server.asked) == 3)
        server.put(slice_of("x", "other"))
        server.put(slice_of("two", "web", "10.0.0.2"))
        await seen.until("web", "web 10.0.0.1", "web 10.0.0.1 10.0.0.2")
    assert server.asked[2]["resourceVersion"] == "11"
    assert server.verbs == ["list", "watch", "watch"]
    assert caplog.messages == []


async def test_watches_that_end_as_soon_as_they_begin_are_not_asked_for_without_end(
    api: Api, server: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.next = [None, *[stream()] * 99]
    async with watching(api, "web") as seen:
        await until("a third pause", lambda: caplog.text.count("watches end within 5 s. Trying again in 0.") == 3)
    assert server.verbs == ["list", "watch", "watch", "watch"]
    assert seen.told == ["web"]


async def test_a_slow_list_makes_no_good_watch_of_one_that_ends_as_soon_as_it_begins(
    api: Api, server: FakeApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reflector, "SHORT", 1.0)
    listed = json.dumps({"metadata": {"resourceVersion": "10"}, "items": []})
    server.next = [stream(listed, after=1.1), stream()]
    async with watching(api, "web"):
        await until("the next watch", lambda: len(server.asked) == 3)
    assert "watches end within 1 s" in caplog.text


@pytest.mark.parametrize("gone", [status(410), stream(error(410, "Expired"))], ids=["status", "event"])
async def test_what_is_forgotten_is_listed_again_at_once_and_nothing_is_lost(
    api: Api, server: FakeApi, patient: None, gone: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    server.put(slice_of("two", "web", "10.0.0.2"))
    server.put(slice_of("three", "gone", "10.0.0.3"))
    async with watching(api) as seen:
        await seen.until("gone 10.0.0.3", "web 10.0.0.1 10.0.0.2")
        await until("a watch", lambda: server.watching)
        server.next = [gone]
        await asyncio.sleep(0.06)
        server.delete("one")
        server.delete("three")
        server.put(slice_of("four", "new", "10.0.0.4"))
        server.drop()
        await seen.until("gone 10.0.0.3", "web 10.0.0.1 10.0.0.2", "gone", "new 10.0.0.4", "web 10.0.0.2")
        server.put(slice_of("five", "gone", "10.0.0.5"))
        await until("the next", lambda: seen.told[-1] == "gone 10.0.0.5")
    assert server.verbs == ["list", "watch", "watch", "list", "watch"]
    assert not any(each.stale for each in seen.snapshots)
    assert "Trying again" not in caplog.text


async def test_a_good_watch_that_ends_in_what_is_forgotten_is_listed_again_at_once(
    api: Api, server: FakeApi, patient: None
) -> None:
    server.next = [None, stream(error(410, "Expired"), after=0.1)]
    async with watching(api, "web"):
        await until("a watch", lambda: server.watching and len(server.asked) == 4)
    assert server.verbs == ["list", "watch", "list", "watch"]


@pytest.mark.parametrize("gone", [status(410), stream(error(410, "Expired"))], ids=["status", "event"])
async def test_what_is_forgotten_as_soon_as_it_is_listed_is_not_asked_for_without_end(
    api: Api, server: FakeApi, gone: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    server.next = [None, gone] * 99
    async with watching(api, "web") as seen:
        await until("a third pause", lambda: caplog.text.count("Trying again in 0.") == 3)
    assert server.verbs == ["list", "watch"] * 3
    assert seen.told == ["web"]


GARBAGE = ["][", "", "null", "[]", "{}", '"x"', '{"type": "ADDED"}', '{"type": "ADDED", "object": null}']
GARBAGE += ['{"type": "ERROR", "object": null}', '{"type": "ADDED", "object": {"metadata": {"resourceVersion": "99"}}}']
TROUBLE = [stream(f"{line}\n") for line in GARBAGE] + [
    stream(error(500, "InternalError")),
    status(302),
    status(500),
    status(503),
    stream("<html>\n"),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=[*GARBAGE, "ERROR 500", "302", "500", "503", "html"])
async def test_an_api_in_trouble_makes_what_is_known_stale_until_it_is_well_and_nothing_is_lost(
    api: Api, server: FakeApi, trouble: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    server.next = [None, trouble, trouble]
    async with watching(api, "web") as seen:
        await until("the trouble", lambda: len(server.asked) >= 2)
        server.put(slice_of("two", "web", "10.0.0.2"))
        await until("the change", lambda: seen.told[-1:] == ["web 10.0.0.1 10.0.0.2"])
    assert seen.told[0] == "web 10.0.0.1"
    assert seen.told.count("web 10.0.0.1?") in (1, 2)  # a watch that begins well says that the API is there
    assert server.verbs == ["list", "watch", "watch", "watch"]
    assert {query["resourceVersion"] for query in server.asked[1:]} == {"11"}
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("trouble", [status(503), stream("<html>"), stream('{"items": 1}'), stream("[]"), status(410)])
async def test_a_list_that_fails_is_asked_for_again(api: Api, server: FakeApi, trouble: Answer) -> None:
    server.put(slice_of("one", "web", "10.0.0.1"))
    server.next = [trouble, trouble]
    async with watching(api, "web") as seen:
        await seen.until("web 10.0.0.1")
    assert server.verbs[:3] == ["list"] * 3


async def test_while_the_api_is_away_what_is_known_is_stale_and_then_fresh_with_what_changed(
    api: Api, server: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.put(slice_of("one", "blue", "10.0.0.1"))
    async with watching(api, "blue", "green") as seen:
        await seen.until("blue 10.0.0.1", "green")
        known = list(seen.told)
        await until("a watch", lambda: server.watching)
        await server.stop()
        await until("three tries", lambda: caplog.text.count(f"{server.url} can't be reached") == 3)
        assert seen.told == [*known, "blue 10.0.0.1?", "green?"]
        server.put(slice_of("two", "green", "10.0.0.2"))
        await server.start()
        await seen.until(*known, "blue 10.0.0.1?", "green?", "blue 10.0.0.1", "green", "green 10.0.0.2")
        assert seen.snapshots[4].heard == seen.snapshots[0].heard
    assert "list" not in server.verbs[1:]
    assert "is KUBECONFIG right?. Trying again in" in caplog.text


async def test_an_api_that_is_away_and_has_forgotten_is_listed_again(api: Api, server: FakeApi) -> None:
    server.put(slice_of("one", "blue", "10.0.0.1"))
    async with watching(api, "blue", "green") as seen:
        await seen.until("blue 10.0.0.1", "green")
        await server.stop()
        await until("stale ones", lambda: len(seen.told) == 4)
        server.put(slice_of("two", "green", "10.0.0.2"))
        server.forget()
        await server.start()
        await until("fresh ones", lambda: len(seen.told) == 6)
        assert sorted(seen.told[4:]) == ["blue 10.0.0.1", "green 10.0.0.2"]


async def test_an_api_that_is_away_at_first_is_waited_for(api: Api, server: FakeApi) -> None:
    await server.stop()
    async with watching(api, "web") as seen:
        await asyncio.sleep(0.1)
        assert seen.told == []
        await server.start()
        await seen.until("web")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (401, "is the token of its ServiceAccount mounted, or the kubeconfig's user right?"),
        (403, "let its Role get, list and watch endpointslices of discovery.k8s.io"),
        (500, "is the cluster well?"),
    ],
)
@pytest.mark.parametrize("what", ["list", "watch"])
async def test_a_refusal_is_logged_with_its_remedy_and_tried_again(
    api: Api, server: FakeApi, code: int, remedy: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = status(code, "no, says the API")
    server.next = [refusal, refusal] if what == "list" else [None, refusal, refusal]
    async with watching(api, "web") as seen:
        await until("a good watch", lambda: len(server.asked) == 4)
        await until("what is fresh", lambda: seen.told[-1:] == ["web"])
    [first, second] = caplog.records
    said = f"EndpointSlices can't be watched: {server.url} answers {code}: no, says the API; {remedy}. Trying again in"
    assert first.getMessage().startswith(said)
    assert second.getMessage().startswith(said)
    assert first.levelno == logging.WARNING
    assert seen.told == (["web"] if what == "list" else ["web", "web?", "web"])


async def test_a_refusal_that_is_no_status_is_logged_by_its_name(
    api: Api, server: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(api, "web", namespace="other"):
        await until("a refusal", lambda: "answers 404: Not Found; is the cluster well?. Trying again" in caplog.text)


async def test_a_watch_that_falls_silent_is_made_anew_from_the_last_version_without_a_gap(
    api: Api, server: FakeApi, patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "SILENCE", 0.2)
    server.put(slice_of("one", "web", "10.0.0.1"))
    server.next = [None, stream(bookmark("12"), lasting=60)]
    async with watching(api, "web") as seen:
        await until("a watch", lambda: server.watching)
        server.put(slice_of("x", "other"))
        server.put(slice_of("two", "web", "10.0.0.2"))
        await seen.until("web 10.0.0.1", "web 10.0.0.1 10.0.0.2")
    assert server.verbs[:3] == ["list", "watch", "watch"]
    assert server.asked[2]["resourceVersion"] == "12"


async def test_a_connection_that_breaks_is_made_anew_and_half_an_event_is_none(
    api: Api, server: FakeApi, patient: None
) -> None:
    [event] = added("12", slice_of("one", "web", "10.0.0.1"))
    half = json.dumps(event)[:50]
    server.next = [None, stream(event, half, lasting=0.1, cut=True), stream(half, lasting=0.1)]
    async with watching(api, "web") as seen:
        await until("a good watch", lambda: len(server.asked) == 4)
        assert {query["resourceVersion"] for query in server.asked[2:]} == {"12"}
        assert seen.told == ["web", "web 10.0.0.1"]


async def test_credentials_that_can_not_be_had_are_waited_for(
    server: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = kubeconfig(server.url)
    config["users"] = [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}]
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with connect() as api, watching(api, "web") as seen:
        await until("two tries", lambda: caplog.text.count(f"Token file {tmp_path / 'token'} not found") == 2)
        (tmp_path / "token").write_text("t")
        await seen.until("web")


# Its end


@contextmanager
def collected() -> Iterator[list[str]]:
    """The files of the generators that nobody closes meanwhile: what they hold stays for a while."""
    hooks, files = sys.get_asyncgen_hooks(), list[str]()

    def finalize(generator: Any) -> None:
        files.append(generator.ag_code.co_filename)
        hooks.finalizer(generator)  # type: ignore[misc]

    sys.set_asyncgen_hooks(finalizer=finalize)
    try:
        yield files
    finally:
        sys.set_asyncgen_hooks(*hooks)


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_its_end_leaves_no_connection_and_no_task(api: Api, server: FakeApi, how: str) -> None:
    with collected() as generators:  # of those that begin after this
        snapshots = watch(api, ["web"], port="grpc")
        assert (await anext(snapshots)).endpoints == ()
        following = asyncio.ensure_future(anext(snapshots))
        await until("a watch", lambda: server.watching)
        if how == "close":
            server.put(slice_of("one", "web", "10.0.0.1"))
            await following
        before = asyncio.all_tasks()
        if how == "close":
            await snapshots.aclose()
        else:
            following.cancel()
            await asyncio.wait([following])
    assert reflector.__file__ not in generators
    await until("the end of its tasks", lambda: asyncio.all_tasks() <= before)
    await until("the end of the watch", lambda: not server.watching)
    await until("the end of its connection", lambda: not server.connections)


# Its pauses


def test_pauses_double_up_to_a_bound_and_are_up_to_twice_as_long_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    now = [1000.0]
    for chance in (0.0, 0.5, 0.999):
        monkeypatch.setattr(random, "random", lambda chance=chance: chance)
        pauses = backoff.Backoff(lambda: now[0])
        expected = [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
        assert [pauses.pause() for _ in expected] == pytest.approx([(1 + chance) * each for each in expected])


def test_after_two_minutes_of_health_the_pauses_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(random, "random", lambda: 0.0)
    now = [1000.0]
    pauses = backoff.Backoff(lambda: now[0])
    for expected in (0.8, 1.6, 3.2):
        assert pauses.pause() == pytest.approx(expected)
        now[0] += expected + 119  # the time of the pause itself is none of health
    now[0] += 2
    assert pauses.pause() == pytest.approx(0.8)
