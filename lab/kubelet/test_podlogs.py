"""Logs: which run of a container, the tail of a long one, and following one that is still being written."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.apimachinery.errors import StatusError
from lab.apimachinery.store import Object, Store
from lab.kubelet.podlogs import LogOptions, find, log_path

TEXT = "".join(f"2026-01-02T03:04:0{i}.000000000Z line {i}\n" for i in range(5))


def create(store: Store, status: Object) -> Object:
    meta, spec = {"namespace": "default", "name": "web"}, {"containers": [{"name": "main"}], "nodeName": "lab"}
    return store.create("pods", {"metadata": meta, "spec": spec, "status": {"containerStatuses": [status]}})


def container(restarts: int = 0, *, ended: bool = False, **state: Any) -> Object:
    last = {"terminated": {"exitCode": 1}} if ended else {}
    return {"name": "main", "restartCount": restarts, "state": state, "lastState": last}


def write(state: Path, pod: Object, restart: int, text: str) -> Path:
    path = log_path(state, pod, "main", restart)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def stream(store: Store, state: Path, **query: str) -> AsyncIterator[bytes]:
    options = LogOptions.read(query)
    return find(store, state, "default", "web", options).read(options)


async def read(store: Store, state: Path, **query: str) -> str:
    return b"".join([chunk async for chunk in stream(store, state, **query)]).decode()


async def test_the_tail_of_a_long_file(store: Store, tmp_path: Path) -> None:
    lines = [f"2026-01-02T03:04:05.000000000Z {'x' * (i % 300)} {i}\n" for i in range(5000)]
    write(tmp_path, create(store, container(running={})), 0, "".join(lines))
    shown = await read(store, tmp_path, tailLines="1000", timestamps="true")
    assert shown == "".join(lines[-1000:])


@pytest.mark.parametrize(
    ("status", "query", "expected"),
    [
        (container(2, running={}), {}, 2),
        (container(2, ended=True, running={}), {"previous": "true"}, 1),
        (container(2, ended=True, waiting={"reason": "CrashLoopBackOff"}), {}, 2),
        (container(2, ended=True, waiting={"reason": "CrashLoopBackOff"}), {"previous": "true"}, 2),
        (container(0, terminated={"exitCode": 0}), {}, 0),
    ],
)
async def test_which_run(store: Store, tmp_path: Path, status: Object, query: dict[str, str], expected: int) -> None:
    pod = create(store, status)
    for run in range(3):
        write(tmp_path, pod, run, f"2026-01-02T03:04:05.000000000Z {run}\n")
    assert await read(store, tmp_path, **query) == f"{expected}\n"


@pytest.mark.parametrize(
    ("status", "query", "message"),
    [
        (container(waiting={"reason": "ContainerCreating"}), {}, "is waiting to start: ContainerCreating"),
        (container(waiting={"reason": "ErrImagePull"}), {}, "is waiting to start: image can't be pulled"),
        (
            container(waiting={"reason": "ImagePullBackOff"}),
            {},
            "is waiting to start: trying and failing to pull image",
        ),
        (container(running={}), {"tailLines": "x"}, "tailLines"),
        (container(running={}), {"tailLines": "-1"}, "must be greater than or equal to 0"),
        (container(running={}), {"sinceSeconds": "0"}, "must be greater than 0"),
        (container(running={}), {"limitBytes": "9"}, "the lab's logs have no limitBytes"),
        (container(running={}), {"sinceTime": "2026-01-02T03:04:03Z"}, "the lab's logs have no sinceTime"),
    ],
)
async def test_logs_that_there_are_not(
    store: Store, tmp_path: Path, status: Object, query: dict[str, str], message: str
) -> None:
    create(store, status)
    with pytest.raises(StatusError) as error:
        await read(store, tmp_path, **query)
    assert message in error.value.message


async def test_following_until_the_container_has_ended(store: Store, tmp_path: Path) -> None:
    pod = create(store, container(running={}))
    path = write(tmp_path, pod, 0, TEXT)
    shown = stream(store, tmp_path, follow="true", tailLines="1")
    assert await anext(shown) == b"line 4\n"
    following = asyncio.ensure_future(anext(shown))
    with path.open("a") as file:
        file.write("2026-01-02T03:04:06.000000000Z half of a li")
        file.flush()
        done, _ = await asyncio.wait([following], timeout=0.3)
        assert not done, "half a line was shown"
        file.write("ne\n")
    assert await following == b"half of a line\n"
    with path.open("a") as file:
        file.write("2026-01-02T03:04:07.000000000Z last words")
    terminated = container(terminated={"exitCode": 0})
    store.update("pods", pod | {"status": {"containerStatuses": [terminated]}}, subresource="status")
    assert [chunk async for chunk in shown] == [b"last words"]


async def test_following_ends_when_the_pod_is_gone(store: Store, tmp_path: Path) -> None:
    write(tmp_path, create(store, container(running={})), 0, TEXT)
    following = asyncio.ensure_future(read(store, tmp_path, follow="true"))
    await asyncio.sleep(0)
    store.delete("pods", "default", "web", grace=0)
    assert (await asyncio.wait_for(following, 20)).endswith("line 4\n")
