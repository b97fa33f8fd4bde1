"""BalanceLoad: what a client asks for, checked; then the list that it asked for, now and whenever it changes.

Source: "Load Balancing Protocol" of gRPC's documentation (grpc/doc/load-balancing.md), and its proto file.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration

from grpclb.clients import Client, Clients
from grpclb.load_balancer_pb2 import (
    DESCRIPTOR,
    InitialLoadBalanceResponse,
    LoadBalanceRequest,
    LoadBalanceResponse,
)
from grpclb.server_lists import ServerLists

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, bytes]  # it reads requests, or EOF

SERVICE = DESCRIPTOR.services_by_name["LoadBalancer"].full_name
LONGEST_NAME = 256  # bytes, as the protocol has it


class LoadBalancerServicer:
    """Tells clients of these Services of one namespace; `interval` (seconds) is how often they are to report."""

    def __init__(self, lists: Mapping[str, ServerLists], namespace: str, interval: float) -> None:
        self._lists = lists
        self._namespace = namespace
        whole, rest = divmod(interval, 1)
        initial = InitialLoadBalanceResponse(
            client_stats_report_interval=Duration(seconds=int(whole), nanos=int(rest * 1e9))
        )
        self._initial = LoadBalanceResponse(initial_response=initial).SerializeToString()
        self._pushing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.clients = Clients()

    def add_to(self, server: grpc.aio.Server) -> None:
        """As the generated function would, but for the responses: they are encoded already, once for all clients."""
        handler = grpc.stream_stream_rpc_method_handler(
            self.balance_load,
            request_deserializer=LoadBalanceRequest.FromString,
            response_serializer=bytes,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"BalanceLoad": handler}),))

    def stop(self) -> None:
        """End all streams, so that their clients ask another balancer."""
        self._stopping = True
        for pushing in self._pushing:
            pushing.cancel()

    async def balance_load(self, _: object, context: "Context") -> None:
        client = Client(context.peer(), await self._asked_for(context))
        lists = self._lists[client.service]
        lists.join(client)
        self.clients.join(client)
        pushing = asyncio.create_task(self._push(client, lists, context))
        reading = asyncio.create_task(self._read(client, context))
        self._pushing.add(pushing)
        try:
            if not self._stopping:
                await asyncio.wait((pushing, reading), return_when=asyncio.FIRST_COMPLETED)
                if reading.done() and (problem := reading.result()):
                    await _refuse(context, problem)
                await asyncio.wait((pushing,))  # grpcurl says all that it has to say, and goes on listening
            if self._stopping:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "this balancer is about to end; ask another")
        finally:
            self._pushing.discard(pushing)
            lists.leave(client)
            self.clients.leave(client)
            for task in (pushing, reading):
                task.cancel()
            await asyncio.gather(pushing, reading, return_exceptions=True)

    async def _asked_for(self, context: "Context") -> str:
        """The Service that the initial request names."""
        request = await context.read()
        if request is grpc.aio.EOF:
            await _refuse(context, "the stream ended before an initial_request")
        assert isinstance(request, LoadBalanceRequest)
        if request.WhichOneof("load_balance_request_type") != "initial_request":
            await _refuse(context, "an initial_request must come first, before client_stats")
        name = request.initial_request.name
        if not name or len(name.encode()) > LONGEST_NAME:
            how = f"{len(name.encode())} bytes long" if name else "empty"
            await _refuse(context, f"the name is {how}; give what you dial, {LONGEST_NAME} bytes at most")
        if (service := self._service(name)) is None:
            served = ", ".join(f"{service}.{self._namespace}.svc.cluster.local" for service in sorted(self._lists))
            problem = f"no Service is known here by the name {name!a}; this balancer serves {served}"
            await _refuse(context, problem, grpc.StatusCode.NOT_FOUND)
        return service

    def _service(self, name: str) -> str | None:
        """The Service that a name means: greeter-server.NAMESPACE.svc.cluster.local:8000 or a shorter form of it."""
        service, *rest = name.partition(":")[0].removesuffix(".").split(".")
        fits = rest[:2] == [self._namespace, "svc"][: len(rest)]
        return service if service in self._lists and fits else None

    async def _push(self, client: Client, lists: ServerLists, context: "Context") -> None:
        """The current list; then, as soon as this client has taken it, the one that is current by then."""
        await context.write(self._initial)
        while True:
            edition = lists.current
            await context.write(edition.encoded)
            edition.told(client)
            await edition.superseded.wait()

    async def _read(self, client: Client, context: "Context") -> str:
        """Take in reports until the client has no more of them; what is wrong where it breaks the protocol."""
        while (request := await context.read()) is not grpc.aio.EOF:
            assert isinstance(request, LoadBalanceRequest)
            if request.WhichOneof("load_balance_request_type") != "client_stats":
                return "after the initial_request only client_stats may come; open another stream for another name"
            self.clients.reported(client, request.client_stats)
        return ""


async def _refuse(
    context: "Context", problem: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT
) -> NoReturn:
    await context.abort(code, problem)
    raise AssertionError("abort raises")
