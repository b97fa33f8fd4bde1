"""The loop of a controller: coalesced, later where asked, and not stopped by one broken object."""

import asyncio
import logging

import pytest

from lab.apimachinery import workqueue
from lab.apimachinery.store import Event, Store
from lab.apimachinery.workqueue import Key, WorkQueue, control
from lab.testing import running, settled, until


def keys(event: Event) -> list[Key]:
    return [("shop", event.object["metadata"]["name"])]


def create(store: Store, name: str) -> None:
    meta = {"namespace": "shop", "name": name}
    store.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta})


async def test_a_key_comes_up_once_for_all_that_was_added_meanwhile() -> None:
    queue = WorkQueue()
    for key in (("a",), ("b",), ("a",)):
        queue.add(key)
    assert {await queue.get(), await queue.get()} == {("a",), ("b",)}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await queue.get()


async def test_a_key_waits_for_its_earliest_turn() -> None:
    queue = WorkQueue()
    queue.add(("late",), 60)
    queue.add(("soon",), 60)
    queue.add(("soon",), 0.05)
    queue.add(("soon",), 60)
    async with asyncio.timeout(20):
        assert await queue.get() == ("soon",)


async def test_a_key_comes_again_when_reconcile_asks_for_it() -> None:
    store, times = Store(), []

    def reconcile(key: Key) -> float | None:
        times.append(asyncio.get_running_loop().time())
        return 0.05 if len(times) < 3 else None

    async with running(control(store, ["secrets"], keys, reconcile)):
        create(store, "a")
        await until(lambda: len(times) == 3, "3 calls")
        await asyncio.sleep(0.1)
    assert len(times) == 3
    assert times[1] - times[0] >= 0.05


async def test_an_error_is_logged_and_that_key_alone_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workqueue, "FIRST_RETRY", 0.05)
    store, calls = Store(), []

    def reconcile(key: Key) -> None:
        calls.append(key[1])
        if calls.count("broken") < 3 and key[1] == "broken":
            raise ValueError("no good")

    async with running(control(store, ["secrets"], keys, reconcile)):
        create(store, "broken")
        create(store, "whole")
        await until(lambda: calls.count("broken") == 3, "2 retries")
        await settled(store, quiet=0.1)
    assert (calls.count("broken"), calls.count("whole")) == (3, 1)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.args[1] for record in errors if isinstance(record.args, tuple)] == ["shop/broken"] * 2
    assert errors[0].exc_info
