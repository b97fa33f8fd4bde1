"""StreamAggregatedResources: takes in what a client asks for, and gives what the store has of that.

Source: envoy.service.discovery.v3.AggregatedDiscoveryService, State of the World.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from envoy.service.discovery.v3 import ads_pb2
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from google.protobuf.message import DecodeError

from client_xds import metrics
from client_xds.store import ResourceStore
from client_xds.stream import AdsStream, ProtocolError

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, bytes]  # it reads requests, or EOF

SERVICE = ads_pb2.DESCRIPTOR.services_by_name["AggregatedDiscoveryService"].full_name


class AdsServicer:
    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._streams: set[AdsStream] = set()
        self._stopping = False

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def add_to(self, server: grpc.aio.Server) -> None:
        """As the generated function would, but that the responses are encoded already, once for all clients."""
        handler = grpc.stream_stream_rpc_method_handler(
            self.stream_aggregated_resources,
            request_deserializer=bytes,  # what is no request is the client's mistake, not an error of ours
            response_serializer=bytes,
        )
        methods = {"StreamAggregatedResources": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    def stop(self) -> None:
        """End all streams, so that their clients ask another control plane."""
        self._stopping = True
        for stream in self._streams:
            stream.close()

    async def stream_aggregated_resources(self, _: object, context: "Context") -> None:
        stream = AdsStream(self._store, context.peer())
        if self._stopping:
            stream.close()
        self._streams.add(stream)
        metrics.STREAMS.inc()
        reading = asyncio.create_task(_read(stream, context))
        # grpcurl says all that it has to say, and goes on listening: that is no reason to close.
        reading.add_done_callback(lambda task: None if task.cancelled() or not task.exception() else stream.close())
        try:
            await _push(stream, context)
            if reading.done() and (error := reading.exception()):
                if isinstance(error, ProtocolError):
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                raise error
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this control plane is about to end; ask another")
        finally:
            metrics.STREAMS.dec()
            self._streams.discard(stream)
            stream.end()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _push(stream: AdsStream, context: "Context") -> None:
    """One response after the other, as the client takes them, each of what is current by then; until it is closed.

    A write is not cancelled: gRPC would go on with it, and take no status beside it.
    """
    while not stream.closed:
        await stream.wake.wait()
        stream.wake.clear()
        while not stream.closed and (response := stream.response()):
            await context.write(response)


async def _read(stream: AdsStream, context: "Context") -> None:
    """Take in requests until the client has no more of them. Raises ProtocolError."""
    while (request := await context.read()) is not grpc.aio.EOF:
        try:
            stream.take(DiscoveryRequest.FromString(request))
        except DecodeError as error:
            problem = "a message is no DiscoveryRequest; write one of envoy.service.discovery.v3"
            raise ProtocolError(problem) from error
