"""`kubectl exec`, `attach`, `cp` and `run -it`: a container's stdin, outputs and exit status over one WebSocket.

Stands for k8s.io/kubelet/pkg/cri/streaming/remotecommand. The subprotocol is `v5.channel.k8s.io` (KEP-4006), which
kubectl has asked for first since 1.31: a message's first byte is its channel.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

from aiohttp import WSMsgType, web

from lab.apimachinery.errors import BadRequest, StatusError
from lab.apimachinery.podstate import container_of
from lab.apimachinery.store import Object
from lab.objects.options import as_bool
from lab.runtime.processes import StartError

PROTOCOL = "v5.channel.k8s.io"
STDIN, ERROR, RESIZE, CLOSE = 0, 3, 4, 255  # channels; 1 and 2 are stdout and stderr
SUCCESS: Object = {"metadata": {}, "status": "Success"}


class Program(Protocol):
    """What somebody is connected to."""

    @property
    def outputs(self) -> Mapping[int, AsyncGenerator[bytes, None]]:
        """Its stdout, 1, and its stderr, 2, until it ends."""

    async def write(self, data: bytes) -> None:
        """Write to its stdin."""

    def close_stdin(self) -> None:
        """Nothing more will be written."""

    def resize(self, columns: int, rows: int) -> None:
        """Its terminal's size."""

    async def wait(self) -> int:
        """Its exit code, once it has ended."""


class ContainerRun(Protocol):
    """A container that runs."""

    def exec(self, command: list[str], *, stdin: bool, tty: bool) -> AbstractAsyncContextManager[Program]:
        """Run a command in it for the length of the block. Raises processes.StartError."""

    def attach(self) -> AbstractAsyncContextManager[Program]:
        """Its own program."""


class Kubelet(Protocol):
    """Who has the containers."""

    def container(self, pod: Object, name: str) -> ContainerRun | None:
        """The run of a pod's container, where it runs."""


@dataclass(frozen=True)
class Asked:
    """A request's query."""

    subresource: str
    container: str
    command: list[str]
    stdin: bool
    tty: bool

    @classmethod
    def read(cls, request: web.Request, pod: Object, subresource: str) -> "Asked":
        """Raises errors.BadRequest."""
        query = request.query
        command = query.getall("command", [])
        if subresource == "exec" and not command:
            raise BadRequest("you must specify at least one command for the container")
        container = container_of(pod, query.get("container", ""))
        return cls(subresource, container, command, as_bool(query, "stdin"), as_bool(query, "tty"))

    def connect(self, run: ContainerRun) -> AbstractAsyncContextManager[Program]:
        """Start the command, or come to the container's program."""
        return run.exec(self.command, stdin=self.stdin, tty=self.tty) if self.subresource == "exec" else run.attach()


async def serve(request: web.Request, kubelet: Kubelet, pod: Object, subresource: str) -> web.WebSocketResponse:
    """Serve `exec` or `attach`. Raises errors.BadRequest."""
    asked = Asked.read(request, pod, subresource)
    socket = await accept(request, PROTOCOL)
    try:
        status = await _serve(socket, kubelet, pod, asked)
    except StatusError as error:
        status = error.status()
    with suppress(ConnectionError):  # the client has gone
        await _send(socket, ERROR, json.dumps(status).encode())
        await socket.close()
    return socket


async def accept(request: web.Request, protocol: str) -> web.WebSocketResponse:
    """Answer to a WebSocket's handshake. Raises errors.BadRequest where the client wants something else."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    socket = web.WebSocketResponse(protocols=[protocol], max_msg_size=0)
    if protocol not in [name.strip() for name in offered.split(",")] or not socket.can_prepare(request):
        raise BadRequest(f"the lab speaks {protocol} through a WebSocket, as kubectl does since 1.31; use a newer one")
    await socket.prepare(request)
    return socket


async def _serve(socket: web.WebSocketResponse, kubelet: Kubelet, pod: Object, asked: Asked) -> Object:
    """Connect both until the program ends; return how it ended. Raises errors.StatusError."""
    run = kubelet.container(pod, asked.container)
    if run is None:
        meta = pod["metadata"]
        which = f'container not found ("{asked.container}")'
        if asked.subresource == "attach":
            which = f"container {asked.container} not found in pod {meta['name']}_{meta['namespace']}"
        raise StatusError(f"Internal error occurred: unable to upgrade connection: {which}")
    try:
        async with asked.connect(run) as program:
            code = await _connect(socket, program)
    except StartError as error:
        why = f"failed to exec in container: unable to start container process: {error}"
        raise StatusError(f"Internal error occurred: error executing command in container: {why}") from None
    if not code:
        return SUCCESS
    return SUCCESS | {
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def _connect(socket: web.WebSocketResponse, program: Program) -> int:
    """Carry what either writes to the other; return the program's exit code, once all of its output is sent."""
    ended = asyncio.create_task(_outputs(socket, program))
    left = asyncio.create_task(_inputs(socket, program))
    try:
        await asyncio.wait([ended, left], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            raise ConnectionError("the client has gone")
        return await ended
    finally:
        for task in (ended, left):
            task.cancel()
        await asyncio.wait([ended, left])


async def _outputs(socket: web.WebSocketResponse, program: Program) -> int:
    async def copy(number: int, chunks: AsyncGenerator[bytes, None]) -> None:
        async with aclosing(chunks):
            async for chunk in chunks:
                await _send(socket, number, chunk)

    async with asyncio.TaskGroup() as group:
        for number, chunks in program.outputs.items():
            group.create_task(copy(number, chunks))
    return await program.wait()


async def _inputs(socket: web.WebSocketResponse, program: Program) -> None:
    """Serve what the client sends, until it leaves."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await program.write(data)
        elif channel == CLOSE and data == bytes([STDIN]):
            program.close_stdin()
        elif channel == RESIZE:
            with suppress(ValueError, TypeError, KeyError):  # no size
                size = json.loads(data)
                program.resize(size["Width"], size["Height"])


async def _send(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    await socket.send_bytes(bytes([channel]) + data)
