"""Container logs: where they lie, and reading them as `kubectl logs` asks.

Stands for the kubelet's log endpoint (k8s.io/kubernetes/pkg/kubelet/kuberuntime/logs). A file holds what one run of a
container wrote, stdout and stderr alike; each line begins with an RFC 3339 time of fixed width and a space.
"""

import asyncio
import datetime
import io
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.podstate import container_of
from lab.apimachinery.store import Object, Store
from lab.objects.options import as_bool
from lab.objects.validation import fields

POLL_SECONDS = 0.1  # how often a followed file is looked at: there is no portable notice of its growth
ATTACHED_POLL_SECONDS = 0.02  # the same where somebody types
STAMP = len("2006-01-02T15:04:05.000000000Z ")
CHUNK = 64 * 1024
KIND = "PodLogOptions"
OF_IMAGES = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}


def log_path(state: Path, pod: Object, container: str, restart: int) -> Path:
    """The log of a container's run number `restart`, 0 for the first."""
    meta = pod["metadata"]
    return state / "pods" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}" / container / f"{restart}.log"


@dataclass(frozen=True)
class LogOptions:
    """The query of a request for logs: what `kubectl logs` has flags for, but for --since-time and --limit-bytes."""

    container: str
    follow: bool
    previous: bool
    timestamps: bool
    since: str  # the earliest time to show, as it stands in the files
    tail: int | None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "LogOptions":
        """Raises errors.BadRequest and errors.Invalid."""
        for option in ("limitBytes", "sinceTime"):
            if query.get(option):
                raise BadRequest(f"the lab's logs have no {option}")
        since = ""
        if seconds := _number(query, "sinceSeconds", 1):
            start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=min(seconds, 10**9))
            since = start.strftime("%Y-%m-%dT%H:%M:%S.%f")
        return cls(
            container=query.get("container", ""),
            follow=as_bool(query, "follow"),
            previous=as_bool(query, "previous"),
            timestamps=as_bool(query, "timestamps"),
            since=since,
            tail=_number(query, "tailLines", 0),
        )


def _number(query: Mapping[str, str], name: str, least: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 19):
        raise BadRequest(f'{name}: Invalid value: "{text:.100}": strconv.ParseInt: invalid syntax')
    if int(text) < least:
        say = "must be greater than 0" if least else "must be greater than or equal to 0"
        raise fields.invalid_options(KIND, "", [fields.invalid(name, int(text), say)], "", KIND)
    return int(text)


def find(store: Store, state: Path, namespace: str, name: str, options: LogOptions) -> "ContainerLog":
    """The log that is asked for. Raises errors.NotFound and, in the kubelet's words, errors.BadRequest."""
    pod = store.get("pods", namespace, name)
    container = container_of(pod, options.container)
    restart = _run_number(pod, container, previous=options.previous)
    return ContainerLog(store, log_path(state, pod, container, restart), pod, container, restart)


def _run_number(pod: Object, container: str, *, previous: bool) -> int:
    """Which of the container's runs to show; the same cases as the kubelet's validateContainerLogStatus."""
    where = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    status = _container_status(pod, container)
    if status is None:
        raise BadRequest(f"{where} is waiting to start: ContainerCreating")
    state, ended = status.get("state", {}), "terminated" in status.get("lastState", {})
    current: int = status["restartCount"]
    if previous and not ended:
        raise BadRequest(f"previous terminated {where} not found")
    started = "running" in state or "terminated" in state
    if started or ended:
        # While it waits to be started again, the run that ended is the current one and the previous one.
        return current - 1 if previous and started else current
    reason = state.get("waiting", {}).get("reason", "ContainerCreating")
    raise BadRequest(f"{where} is waiting to start: {OF_IMAGES.get(reason, reason)}")


def _container_status(pod: Object, container: str) -> Object | None:
    status = pod.get("status", {})
    found: list[Object] = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    return next((c for c in found if c["name"] == container), None)


async def written(path: Path, start: int, ended: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """What a program writes from the log's offset `start` on, as it writes it, until it has `ended`."""
    with path.open("rb") as file:
        file.seek(max(start - 1, 0))
        fresh = not start or file.read(1) == b"\n"  # at a line's beginning, where the log has its time
        while True:
            over, chunk = ended(), list[bytes]()  # asked before reading: nothing comes after it
            while (line := file.readline(CHUNK)) and not (fresh and len(line) < STAMP):
                chunk.append(line[STAMP if fresh else 0 :])
                fresh = line.endswith(b"\n")
            file.seek(-len(line), io.SEEK_CUR)
            if chunk:
                yield b"".join(chunk)
            elif over:
                return
            else:
                await asyncio.sleep(ATTACHED_POLL_SECONDS)


class ContainerLog:
    """The log of one run of a container."""

    def __init__(self, store: Store, path: Path, pod: Object, container: str, restart: int) -> None:
        self._store, self._path, self._pod = store, path, pod
        self._container, self._restart = container, restart

    async def read(self, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """What is asked for, in chunks of whole lines; with `follow` until the container has ended."""
        async for lines in self._lines(options):
            if chunk := b"".join(_shown(line, options) for line in lines):
                yield chunk

    async def _lines(self, options: LogOptions) -> AsyncGenerator[list[bytes], None]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            if options.tail is not None:
                file.seek(_tail(file, options.tail))
            while True:
                ended = not options.follow or self._has_ended()  # asked before reading: nothing comes after it
                while lines := file.readlines(CHUNK):
                    if not ended and not lines[-1].endswith(b"\n"):
                        file.seek(-len(lines.pop()), io.SEEK_CUR)  # the rest of this line is still to be written
                        if not lines:
                            break
                    yield lines
                if ended:
                    return
                await asyncio.sleep(POLL_SECONDS)

    def _has_ended(self) -> bool:
        pod = self._store.again("pods", self._pod)
        if pod is None:
            return True
        status = _container_status(pod, self._container)
        return status is None or status["restartCount"] != self._restart or "running" not in status.get("state", {})


def _shown(line: bytes, options: LogOptions) -> bytes:
    time, _, text = line.partition(b" ")
    if time.decode("ascii", "replace") < options.since:
        return b""
    return line if options.timestamps else text


def _tail(file: Any, lines: int) -> int:
    """The offset of the file's last so many lines."""
    starts = deque([0], maxlen=lines + 1)
    for line in file:
        starts.append(starts[-1] + len(line))
    return starts[0]
