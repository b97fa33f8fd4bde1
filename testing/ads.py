"""A client of a control plane whose every request a test writes, and whose every response it reads, by hand."""

import queue
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from client_xds.types import BY_URL, NAMES, Type
from testing.client_xds import ControlPlane
from testing.processes import wait_until

TIMEOUT = 30  # seconds that a stream lasts at most


def node(id_: str = "a-test", zone: str = "", listeners: Mapping[str, object] | None = None) -> Node:
    made = Node(id=id_)
    made.locality.zone = zone
    if listeners is not None:
        made.metadata.update({"listeners": dict(listeners)})
    return made


class Response:
    """What a client was told of one type: the resources by their names."""

    def __init__(self, response: DiscoveryResponse) -> None:
        self.type = BY_URL[response.type_url]
        self.version: str = response.version_info
        self.nonce: str = response.nonce
        self.resources: dict[str, Any] = {}
        for wrapped in response.resources:
            resource: Message = self.type.message()
            assert wrapped.Unpack(resource)
            self.resources[getattr(resource, NAMES[self.type])] = resource

    @property
    def told(self) -> tuple[Type, list[str]]:
        """Of what type, and of which names."""
        return self.type, sorted(self.resources)

    @property
    def servers(self) -> list[str]:
        """HOST:PORT of all endpoints of its one ClusterLoadAssignment."""
        [assignment] = self.resources.values()
        sockets = [e.endpoint.address.socket_address for each in assignment.endpoints for e in each.lb_endpoints]
        return [f"{socket.address}:{socket.port_value}" for socket in sockets]


class Client:
    """One stream. It remembers of each type what it asked for, and what it was last told."""

    def __init__(self, channel: grpc.Channel, node: Node) -> None:
        self._node: Node | None = node
        self._names: dict[Type, Iterable[str]] = {}
        self._last: dict[Type, Response] = {}
        self._requests: queue.Queue[DiscoveryRequest | None] = queue.Queue()
        stub = AggregatedDiscoveryServiceStub(channel)
        self._responses = stub.StreamAggregatedResources(iter(self._requests.get, None), timeout=TIMEOUT)

    def send(self, request: DiscoveryRequest | None) -> None:
        """As it is; None: there will be no more."""
        self._requests.put(request)

    def ask(self, type_: Type, *names: str, **more: Any) -> None:
        """For these names and no others from now on; `more` are fields of the request."""
        self._names[type_] = names
        last = self._last.get(type_)
        usual = {"version_info": last.version, "response_nonce": last.nonce} if last else {}
        request = DiscoveryRequest(type_url=type_.url, resource_names=names, node=self._node, **{**usual, **more})
        self._node = None  # is said once
        self.send(request)

    def read(self) -> Response:
        """The next response, which is not answered yet."""
        response = Response(next(self._responses))
        self._last[response.type] = response
        return response

    def ack(self, response: Response) -> None:
        self.ask(response.type, *self._names[response.type], response_nonce=response.nonce)

    def nack(self, response: Response, message: str) -> None:
        detail = Status(code=3, message=message)
        names = self._names[response.type]
        self.ask(response.type, *names, response_nonce=response.nonce, version_info="", error_detail=detail)

    def take(self) -> Response:
        """The next response, which it accepts."""
        response = self.read()
        self.ack(response)
        return response

    def ended(self) -> tuple[grpc.StatusCode, str]:
        """How the control plane ended the stream, once it has."""
        try:
            for _ in self._responses:
                pass
        except grpc.RpcError:
            pass
        return self._responses.code(), self._responses.details()

    def end(self) -> None:
        self.send(None)
        self._responses.cancel()


@contextmanager
def client(
    running: ControlPlane, node: Node | None = None, options: Mapping[str, int] | None = None
) -> Iterator[Client]:
    """On a connection of its own, with these options of its transport (grpc.http2.…)."""
    args = [(f"grpc.http2.{option}", value) for option, value in (options or {}).items()]
    args.append(("grpc.use_local_subchannel_pool", 1))
    with grpc.insecure_channel(running.address, args) as channel, on(channel, node) as opened:
        yield opened


@contextmanager
def on(channel: grpc.Channel, of: Node | None = None) -> Iterator[Client]:
    """On this connection, which it may share."""
    opened = Client(channel, of or node())
    try:
        yield opened
    finally:
        opened.end()


@contextmanager
def unnoticed(running: ControlPlane) -> Iterator[None]:
    """A client beside what happens in the block is told of a change after it; and nothing stays of the others."""
    with client(running) as other:
        other.ask(Type.ENDPOINTS, "beside")
        other.take()
        wait_until("others to go", lambda: running.streams == 1)
        tasks = running.tasks()
        yield
        wait_until("they are forgotten", lambda: (running.streams, running.tasks()) == (1, tasks))
        assert running.watched() == {"beside"}
        running.publish("10.9.9.9:8000", service="beside")
        assert other.take().servers == ["10.9.9.9:8000"]
        running.publish(service="beside", there=False)
        assert other.take().servers == []
