"""The greeter itself: answers with a greeting and the address of its pod."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc

from greeter_server.faults import Faults
from greeter_server.received import Received
from helloworld import helloworld_pb2, helloworld_pb2_grpc

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[helloworld_pb2.HelloRequest, helloworld_pb2.HelloReply]

log = logging.getLogger(__name__)

# gRPC tells a server, by this metadata, that a client's retryPolicy made the attempt (gRFC A6). Told back in the
# trailers, it lets the client count the attempts that the retries would otherwise hide.
ATTEMPTS = "grpc-previous-rpc-attempts"

# Seconds after the last name of a stream: to its handler one that is cut first looks like one that its client ended,
# then gRPC cancels the handler.
CUT = 0.01


class GreeterServicer(helloworld_pb2_grpc.GreeterServicer):
    def __init__(self, pod_ip: str, received: Received, faults: Faults | None) -> None:
        self._pod_ip = pod_ip
        self._received = received
        self._faults = faults

    async def SayHello(self, request: helloworld_pb2.HelloRequest, context: "Context") -> helloworld_pb2.HelloReply:
        with self._received.call(context):
            log.debug("SayHello(%r) from %s", request.name, context.peer())
            await self._prepare(context)
            return self._reply(request)

    async def SayHelloStream(
        self, request_iterator: AsyncIterator[helloworld_pb2.HelloRequest], context: "Context"
    ) -> AsyncIterator[helloworld_pb2.HelloReply]:
        with self._received.call(context):
            log.debug("SayHelloStream from %s", context.peer())
            await self._prepare(context)
            # The server's address at once: a stream tells where it landed before its first message.
            await context.send_initial_metadata([("backend-ip", self._pod_ip)])
            async for request in request_iterator:
                log.debug("SayHelloStream(%r) from %s", request.name, context.peer())
                yield self._reply(request)
            await asyncio.sleep(CUT)

    async def _prepare(self, context: "Context") -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        if ATTEMPTS in metadata:
            context.set_trailing_metadata([(ATTEMPTS, metadata[ATTEMPTS])])
        if self._faults:
            await self._faults.inflict(metadata, context)

    def _reply(self, request: helloworld_pb2.HelloRequest) -> helloworld_pb2.HelloReply:
        return helloworld_pb2.HelloReply(message=f"Hello {request.name}", backend_ip=self._pod_ip)
