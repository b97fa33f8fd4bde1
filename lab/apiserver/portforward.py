"""`kubectl port-forward`: connections to a pod's ports, as SPDY streams through one WebSocket.

Stands for k8s.io/kubelet/pkg/cri/streaming/portforward. For each connection the client opens two streams with the same
`requestID`: an error stream, on which only the server speaks, and a data stream (KEP-4006).
"""

import asyncio
import logging
import os
import struct
import zlib
from contextlib import suppress

from aiohttp import WSMsgType, web

from lab.apimachinery.store import Object, Store
from lab.apiserver.remote_command import accept
from lab.apiserver.spdy import Data, Opened, Ping, Reset, Session
from lab.loopback import moved

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CHUNK = 64 * 1024

log = logging.getLogger(__name__)


async def serve(request: web.Request, store: Store, pod: Object) -> web.WebSocketResponse:
    """Forward connections until the client leaves. Raises errors.BadRequest."""
    socket = await accept(request, PROTOCOL)
    forwarding = Forwarding(socket, store, pod)
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await forwarding.receive(message.data)
    except (ValueError, zlib.error, struct.error) as error:
        log.warning("port-forward: %s", error)
    finally:
        await forwarding.close()
    await socket.close()
    return socket


class Forwarding:
    """One client's connections to one pod."""

    def __init__(self, socket: web.WebSocketResponse, store: Store, pod: Object) -> None:
        self._socket, self._store, self._pod = socket, store, pod
        self._session = Session()
        self._errors: dict[str, int] = {}  # requestID → its error stream
        self._writers: dict[int, asyncio.StreamWriter] = {}  # data stream → the connection
        self._copies: set[asyncio.Task[None]] = set()

    async def receive(self, data: bytes) -> None:
        """Some bytes of the client's. Raises ValueError, zlib.error and struct.error where they are no SPDY."""
        for frame in self._session.receive(data):
            match frame:
                case Opened():
                    await self._open(frame.stream, frame.headers)
                case Data():
                    await self._write(frame)
                case Reset():
                    if writer := self._writers.get(frame.stream):
                        writer.transport.abort()
                case Ping():
                    await self._socket.send_bytes(frame.frame)

    async def close(self) -> None:
        """End all connections."""
        for task in self._copies:
            task.cancel()
        if self._copies:
            await asyncio.wait(self._copies)
        for writer in self._writers.values():
            writer.close()

    async def _open(self, stream: int, headers: dict[str, str]) -> None:
        await self._socket.send_bytes(self._session.accept(stream))
        request = headers.get("requestid", "")
        if headers.get("streamtype") == "error":
            self._errors[request] = stream
            return
        error = self._errors.pop(request, None)
        if error is None:
            raise ValueError(f"a data stream without an error stream: {headers}")
        port = int(headers.get("port", ""))
        try:
            reader, writer = await asyncio.open_connection(self._address(), moved(port))
        except OSError as failure:
            reason = os.strerror(failure.errno).lower() if failure.errno else str(failure)
            why = f"error forwarding port {port} to pod: {reason}"
            await self._end(stream, error, why.encode())
            return
        self._writers[stream] = writer
        task = asyncio.create_task(self._copy(reader, stream, error))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    def _address(self) -> str:
        """The pod's, as long as it is the pod's: another one may have it next. Raises ConnectionError."""
        pod = self._store.again("pods", self._pod)
        if pod and pod.get("status", {}).get("phase") == "Running":
            return str(pod["status"]["podIP"])
        meta = self._pod["metadata"]
        raise ConnectionError(f"pod {meta['namespace']}/{meta['name']} does not run")

    async def _copy(self, reader: asyncio.StreamReader, stream: int, error: int) -> None:
        """Send what the pod says until it has no more to say."""
        with suppress(ConnectionError):  # the pod has gone
            while data := await reader.read(CHUNK):
                await self._socket.send_bytes(self._session.data(stream, data))
        if writer := self._writers.pop(stream, None):
            writer.close()
        with suppress(ConnectionError):  # the client has gone
            await self._end(stream, error)

    async def _write(self, frame: Data) -> None:
        writer = self._writers.get(frame.stream)
        if writer is None:
            return  # of an error stream, or of a connection that is over
        with suppress(ConnectionError):
            writer.write(frame.data)
            await writer.drain()
            if frame.last:
                writer.write_eof()

    async def _end(self, stream: int, error: int, why: bytes = b"") -> None:
        """A connection is over, or could not be made."""
        await self._socket.send_bytes(self._session.data(error, why, last=True))
        await self._socket.send_bytes(self._session.data(stream, b"", last=True))
