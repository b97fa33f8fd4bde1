"""What compare bears of an API: watches that end, an API that is away for a moment; and for how long."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from lightkube import ApiError

from compare.api import BEARABLE, Api, Backoff
from compare.errors import ClusterError
from endpoint_watch.backoff import FIRST, HEALTHY, LONGEST

PODS = "/api/v1/pods"
LIST = {"metadata": {"resourceVersion": "1"}, "items": []}
Answer = Callable[[httpx2.Request], httpx2.Response]


def event(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


GONE = event("ERROR", {"kind": "Status", "code": 410})
TROUBLE = event("ERROR", {"kind": "Status", "code": 500})
REFUSED = httpx2.ConnectError("refused")


def status(code: int) -> httpx2.Response:
    return httpx2.Response(code, json={"kind": "Status", "message": "m", "code": code})


class Broken(httpx2.AsyncByteStream):
    """An answer whose connection drops midway."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    async def __aiter__(self) -> Any:
        for part in self._parts:
            yield part
        raise httpx2.ReadError("reset by peer")


class Script:
    """An API that gives these answers to watches and logs, one after the other, and then waits for ever."""

    def __init__(self, *answers: httpx2.Response | Exception | bytes) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []
        self.exhausted = asyncio.Event()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and request.url.path == PODS and "watch" not in request.url.params:
            self.asked.append("list")
            return httpx2.Response(200, json=LIST)
        self.asked.append("watch" if "watch" in request.url.params else request.method)
        answer = next(self._answers, None)
        if answer is None:
            self.exhausted.set()
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, content=answer)

    async def watched(self) -> list[list[str]]:
        """What a watch yields until the answers are over."""
        seen: list[list[str]] = []

        async def follow() -> None:
            async for objects in self.api().watch(PODS):
                seen.append(sorted(objects))

        following = asyncio.create_task(follow())
        ended = asyncio.create_task(self.exhausted.wait())
        await asyncio.wait([following, ended], return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            await following
        for task in (following, ended):
            task.cancel()
        await asyncio.wait([following, ended])
        return seen

    def api(self) -> Api:
        return Api(httpx2.AsyncClient(base_url="http://cluster", transport=httpx2.MockTransport(self)))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pauses pass at once, on a clock of their own, and are kept."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("compare.api.sleep", sleep)
    monkeypatch.setattr("compare.api.monotonic", lambda: 1000.0 + sum(pauses))
    return pauses  # type: ignore[return-value]


async def test_a_watch_that_ends_in_errors_is_asked_again_after_pauses_that_double_up_to_a_bound(
    clock: list[float],
) -> None:
    script = Script(*[TROUBLE] * 9)
    await script.watched()
    assert len(clock) == 9
    for number, pause in enumerate(clock):
        least = min(FIRST * 2**number, LONGEST)
        assert least <= pause <= 2 * least
    assert script.asked == ["list", "watch"] * 10


async def test_what_is_forgotten_is_listed_again_at_once_the_first_time_and_after_a_pause_the_next(
    clock: list[float],
) -> None:
    await Script(GONE).watched()
    assert clock == []
    await Script(status(410)).watched()
    assert clock == []
    await Script(GONE, GONE).watched()
    assert len(clock) == 1


async def test_a_watch_that_ends_as_soon_as_it_begins_is_not_asked_for_without_end(clock: list[float]) -> None:
    await Script(*[b""] * 4).watched()
    assert len(clock) == 4


async def test_a_watch_outlives_an_api_that_is_away_for_a_moment_and_misses_nothing(clock: list[float]) -> None:
    broken = httpx2.Response(200, stream=Broken(event("ADDED", pod("a"))))
    cut = event("ADDED", pod("b")) + b'{"type": "ADD'
    seen = await Script(broken, REFUSED, status(503), status(500), cut, event("ADDED", pod("c"))).watched()
    assert [names for names in seen if names] == [["a"], ["b"], ["c"]]
    assert len(clock) == 6  # the last one ends at once


async def test_an_api_that_stays_away_ends_the_watch_in_its_words(clock: list[float]) -> None:
    with pytest.raises(ClusterError, match=r"no cluster answers at http://cluster.*: refused; is KUBECONFIG right"):
        await Script(*[REFUSED] * 99).watched()
    assert BEARABLE < sum(clock) < 4 * BEARABLE


@pytest.mark.parametrize(("code", "error"), [(401, ClusterError), (403, ApiError), (404, ApiError)])
async def test_a_refusal_ends_the_watch(code: int, error: type[Exception], clock: list[float]) -> None:
    with pytest.raises(error):
        await Script(status(code)).watched()
    assert clock == []


async def test_after_two_minutes_of_health_the_pauses_begin_anew(clock: list[float]) -> None:
    pauses = Backoff()
    for _ in range(4):
        await pauses.pause()
    clock.append(HEALTHY + 1)  # time that passes
    await pauses.pause()
    assert clock[-1] <= 2 * FIRST


async def test_a_log_that_breaks_off_is_read_on_from_there(clock: list[float]) -> None:
    first = httpx2.Response(200, stream=Broken(b"one\ntwo\n"))
    api = Script(first, REFUSED, b"one\ntwo\nthree\n").api()
    assert [line async for line in api.log("/log")] == ["one", "two", "three"]
    assert len(clock) == 2


OK = httpx2.Response(200, json={})


async def test_a_request_bears_an_api_that_is_away_once_it_has_answered(clock: list[float]) -> None:
    api = Script(OK, REFUSED, httpx2.ReadTimeout("slow"), status(503), OK).api()
    await api.get("/version")
    assert await api.request("PATCH", "/scale", {}) == {}
    assert len(clock) == 3
    with pytest.raises(ClusterError, match="refused"):
        await Script(REFUSED, OK).api().get("/version")


async def test_what_may_have_been_created_is_not_created_again(clock: list[float]) -> None:
    api = Script(OK, REFUSED, httpx2.ReadError("reset"), OK).api()
    await api.get("/version")
    with pytest.raises(ClusterError, match="reset"):
        await api.request("POST", "/things", {})
    assert len(clock) == 1
