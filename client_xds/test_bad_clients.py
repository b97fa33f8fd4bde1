"""Clients that do it wrong are told how; the others notice nothing, and nothing stays of them."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_xds.types import Type
from testing.ads import client, node, unnoticed
from testing.client_xds import SERVICE, control_plane
from testing.processes import wait_until

ADDRESS = "10.0.0.1:8000"
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
INVALID, EXHAUSTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED


def request(node: Node | None = None, type_url: str = Type.ENDPOINTS.url, *names: str) -> DiscoveryRequest:
    return DiscoveryRequest(node=node, type_url=type_url, resource_names=names)


def listening(value: Any) -> Node:
    made = node()
    made.metadata.update({"listeners": value})
    return made


def said(channel: grpc.Channel, method: str, message: bytes) -> Any:
    """The responses to one message, whatever it holds."""
    call: Any = channel.stream_stream(method)
    return call(iter([message]), timeout=20)


LISTENERS = "write an IP:PORT, 127.0.0.1:9000 say"


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (request(), INVALID, "the first request has no node id; set node.id in the bootstrap"),
        (request(Node()), INVALID, "the first request has no node id; set node.id in the bootstrap"),
        (request(Node(cluster="shop")), INVALID, "the first request has no node id"),
        (request(node(), ""), INVALID, "a request has no type_url; on an aggregated stream each must say what it is"),
        (request(node(), Type.CLUSTER.url, *(f"name-{n}" for n in range(100_000))), EXHAUSTED, "larger than max"),
        (
            b"\xff\xff\xff no protobuf",
            INVALID,
            "a message is no DiscoveryRequest; write one of envoy.service.discovery",
        ),
        (request(listening({SERVICE: "localhost:9000"})), INVALID, f"'localhost:9000' for {SERVICE}; {LISTENERS}"),
        (request(listening({SERVICE: "127.0.0.1"})), INVALID, LISTENERS),
        (request(listening({SERVICE: "127.0.0.1:"})), INVALID, LISTENERS),
        (request(listening({SERVICE: "127.0.0.1:0"})), INVALID, LISTENERS),
        (request(listening({SERVICE: "127.0.0.1:65536"})), INVALID, LISTENERS),
        (request(listening({SERVICE: "127.0.0.1:٣"})), INVALID, LISTENERS),
        (request(listening({SERVICE: 9000})), INVALID, f"'9000.0' for {SERVICE}; {LISTENERS}"),
        (request(listening({SERVICE: None})), INVALID, LISTENERS),
        (request(listening({SERVICE: {"a": "127.0.0.1:9000"}})), INVALID, LISTENERS),
        (request(listening({SERVICE: ["127.0.0.1:9000"]})), INVALID, LISTENERS),
        (request(listening({SERVICE: "x" * 10_000 + "\n"})), INVALID, LISTENERS),
        (request(listening({"\n" * 10_000: "x"})), INVALID, LISTENERS),
        (request(listening("127.0.0.1:9000")), INVALID, "node.metadata.listeners is no map; write {greeter-server: "),
        (request(listening(["127.0.0.1:9000"])), INVALID, "node.metadata.listeners is no map; write {greeter-server: "),
    ],
)
def test_a_client_that_breaks_the_protocol_is_told_how(
    bad: DiscoveryRequest | bytes, code: grpc.StatusCode, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with control_plane(ADDRESS) as running, unnoticed(running):
        with grpc.insecure_channel(running.address) as channel:
            message = bad if isinstance(bad, bytes) else bad.SerializeToString()
            responses = said(channel, METHOD, message)
            with pytest.raises(grpc.RpcError):
                next(responses)
            assert (responses.code(), responses.details()) == (code, responses.details())
        assert words in str(responses.details())
        assert len(str(responses.details())) < 1000
    assert not caplog.records


def test_delta_is_not_spoken_here() -> None:
    with control_plane(ADDRESS) as running, unnoticed(running), grpc.insecure_channel(running.address) as channel:
        responses = said(channel, METHOD.replace("Stream", "Delta"), b"")
        with pytest.raises(grpc.RpcError):
            next(responses)
        assert responses.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_type_that_nobody_knows_is_not_answered_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with control_plane(ADDRESS) as running, unnoticed(running), client(running) as opened:
        for url in ["type.googleapis.com/envoy.service.runtime.v3.Runtime"] * 3 + ["a\nb" * 10_000] * 3:
            opened.send(request(node(), url, "a", "b"))
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert opened.take().servers == [ADDRESS]
    runtime, garbage = [record.getMessage() for record in caplog.records]
    assert (
        "asks for resources of type 'type.googleapis.com/envoy.service.runtime.v3.Runtime', of which there" in runtime
    )
    assert r"a\nba\nb" in garbage
    assert len(garbage) < 1000


GARBAGE = [
    "\0",
    "a\nb",
    "../..",
    "//",
    f"{SERVICE}/own-zone-first/",
    f"{SERVICE}/own-zone",
    f"/{SERVICE}",
    "%s%n%d",
    "%00",
    "grüße",
    "😀" * 100,
    "\u202e",
    "x" * 10_000,
    "",
    "*",
    f"{SERVICE}:http",
    f"{SERVICE}:\n8000",
    f"{SERVICE}\n",
    "xdstp://authority/envoy.config.listener.v3.Listener/a",
    "grpc/server?xds.resource.listening_address=",
    "grpc/server?xds.resource.listening_address=0.0.0.0:99999",
]


@pytest.mark.parametrize("type_", list(Type))
def test_names_that_are_garbage_are_names_of_nothing(type_: Type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="client_xds")
    with control_plane(ADDRESS) as running, unnoticed(running), client(running, node("a\nb" * 5000)) as opened:
        opened.ask(type_, *GARBAGE, SERVICE)
        response = opened.take()
        assert response.told == (type_, [SERVICE])
        for name in GARBAGE:
            opened.ask(type_, name)
        running.publish(f"{ADDRESS}0")
        opened.ask(type_, SERVICE, *GARBAGE)
        assert opened.take().told in [(type_, [SERVICE]), (type_, [])]  # a Listener that is none of those is told so
    assert all("\n" not in record.getMessage() and len(record.getMessage()) < 2000 for record in caplog.records)


# On the transport


class Wire:
    """A connection that speaks HTTP/2, and what it is made to say on one stream of it."""

    def __init__(self, address: str, path: str = METHOD) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._http.initiate_connection()
        headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": address, "te": "trailers"}
        self._http.send_headers(1, list({**headers, "content-type": "application/grpc"}.items()))
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self._http.data_to_send())

    def say(self, data: bytes, *, last: bool = False) -> None:
        self._http.send_data(1, data, end_stream=last)
        self.flush()

    def reset(self) -> None:
        self._http.reset_stream(1)
        self.flush()

    def status(self) -> dict[str, str]:
        """The trailers, once the stream has been ended; empty where it was reset."""
        while True:
            for event in self._http.receive_data(self.socket.recv(65_536)):
                if isinstance(event, h2.events.TrailersReceived | h2.events.ResponseReceived):
                    headers = {bytes(k).decode(): bytes(v).decode() for k, v in event.headers}
                    if "grpc-status" in headers:
                        return headers
                if isinstance(event, h2.events.StreamReset):
                    return {}
            self.flush()


def framed(message: DiscoveryRequest) -> bytes:
    """As gRPC puts it on the wire: uncompressed, after its length."""
    encoded = message.SerializeToString()
    return b"\0" + len(encoded).to_bytes(4, "big") + encoded


ASKED = framed(request(node(), Type.ENDPOINTS.url, SERVICE))


def ends_in_a_message(wire: Wire) -> None:
    wire.say(ASKED[:-3], last=True)


def ends_in_a_length(wire: Wire) -> None:
    wire.say(ASKED[:3], last=True)


def resets_in_a_message(wire: Wire) -> None:
    wire.say(ASKED[:-3])
    wire.reset()


def closes_in_a_message(wire: Wire) -> None:
    wire.say(ASKED + ASKED[:-3])
    wire.socket.close()


def says_it_is_compressed(wire: Wire) -> None:
    wire.say(b"\1" + ASKED[1:])


def says_it_is_long(wire: Wire) -> None:
    wire.say(b"\0\xff\xff\xff\xff" + ASKED)


def speaks_no_http(wire: Wire) -> None:
    wire.socket.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)


@pytest.mark.parametrize(
    "breaks",
    [
        ends_in_a_message,
        ends_in_a_length,
        resets_in_a_message,
        closes_in_a_message,
        says_it_is_compressed,
        says_it_is_long,
        speaks_no_http,
    ],
)
def test_a_stream_that_breaks_off_is_forgotten(
    breaks: Callable[[Wire], None], caplog: pytest.LogCaptureFixture
) -> None:
    with control_plane(ADDRESS) as running, unnoticed(running):
        wire = Wire(running.address)
        with wire.socket:
            wait_until("its stream", lambda: running.streams == 2)
            breaks(wire)
    assert not caplog.records


def test_by_hand_as_others_it_is_answered() -> None:
    """Or the tests above would show nothing."""
    with control_plane(ADDRESS) as running, unnoticed(running):
        wire = Wire(running.address)
        with wire.socket:
            wire.say(ASKED)
            wait_until("it has asked", lambda: running.watched() == {"beside", SERVICE})
            wire.say(framed(DiscoveryRequest()))
            status = wire.status()
    assert (status["grpc-status"], "no type_url" in status["grpc-message"]) == ("3", True)


# Whatever it is

TEXTS = st.text(max_size=20) | st.sampled_from(["", "*", SERVICE, "beside", "1", "2", "3", *GARBAGE])
REQUESTS = st.builds(
    DiscoveryRequest,
    version_info=TEXTS,
    response_nonce=TEXTS,
    resource_names=st.lists(TEXTS, max_size=5),
    type_url=st.sampled_from([type_.url for type_ in Type] * 3 + ["", "x"]),
    node=st.builds(node, TEXTS, TEXTS, st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(REQUESTS, min_size=1, max_size=20))
def test_whatever_a_client_asks_for_the_control_plane_is_well(
    requests: list[DiscoveryRequest], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    with control_plane(ADDRESS) as running, unnoticed(running), client(running) as opened:
        for number, each in enumerate(requests):
            opened.send(each)
            if number % 5 == 0:
                running.publish(f"10.0.0.{number + 2}:8000")
        opened.send(DiscoveryRequest(node=node(), type_url=""))  # breaks the protocol at last, if none did before
        code, words = opened.ended()
        assert code is INVALID, (code, words)
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]
