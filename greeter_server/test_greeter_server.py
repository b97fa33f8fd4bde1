"""The server as a process, spoken to over the wire."""

import signal

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import greeter, loopback_network

YOU = HelloRequest(name="you")


def test_it_greets_and_says_which_pod_did() -> None:
    with greeter(POD_IP="10.0.2.95") as (_, address), grpc.insecure_channel(address) as channel:
        reply = GreeterStub(channel).SayHello(YOU)
    assert (reply.message, reply.backend_ip) == ("Hello you", "10.0.2.95")


def test_without_a_pod_ip_it_answers_with_the_host_it_listens_on() -> None:
    with greeter(address="127.0.9.8:0") as (_, address), grpc.insecure_channel(address) as channel:
        assert GreeterStub(channel).SayHello(YOU).backend_ip == "127.0.9.8"


def test_a_stream_answers_each_name_and_says_at_its_start_where_it_landed() -> None:
    with greeter(POD_IP="10.0.2.95") as (_, address), grpc.insecure_channel(address) as channel:
        stream = GreeterStub(channel).SayHelloStream(iter([YOU, HelloRequest(name="me")]))
        assert dict(stream.initial_metadata())["backend-ip"] == "10.0.2.95"
        assert [reply.message for reply in stream] == ["Hello you", "Hello me"]


@pytest.mark.parametrize("service", ["", "helloworld.Greeter"])
def test_health_says_serving_overall_and_of_the_greeter(service: str) -> None:
    with greeter() as (_, address), grpc.insecure_channel(address) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_health_knows_no_other_service() -> None:
    with greeter() as (_, address), grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_is_answered_in_plaintext_at_an_address_of_its_own_and_nothing_else_is() -> None:
    own = f"{loopback_network()}.1:8081"
    with greeter(f"--health-address={own}") as (server, _), grpc.insecure_channel(own) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            GreeterStub(channel).SayHello(HelloRequest(name="you"), timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        server.signal(signal.SIGTERM)
        server.line("Told to stop")
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert server.end() == 0


def test_reflection_describes_the_greeter_and_channelz_counts_its_calls() -> None:
    with greeter() as (_, address), grpc.insecure_channel(address) as channel:
        assert "helloworld.Greeter" in ProtoReflectionDescriptorDatabase(channel).get_services()
        GreeterStub(channel).SayHello(YOU)
        servers = channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest())
    assert servers.server[0].data.calls_succeeded >= 1


def test_the_log_counts_calls_and_connections_and_shows_each_call_only_at_debug() -> None:
    with greeter() as (server, address), grpc.insecure_channel(address) as channel:
        for _ in range(5):
            GreeterStub(channel).SayHello(YOU)
        server.line(r"INFO Received \d calls on 1 connection\(s\), 5 in all")
        assert not [line for line in server.lines if "SayHello" in line]
    with greeter("--log-level=DEBUG") as (server, address), grpc.insecure_channel(address) as channel:
        GreeterStub(channel).SayHello(YOU)
        server.line(r"DEBUG SayHello\('you'\) from ipv4:127\.0\.0\.1:\d+")


def test_a_line_of_the_log_is_about_one_second() -> None:
    """A connection that ended before counts no more; a call does, in the sum."""
    with greeter() as (server, address):
        for second in (1, 2):
            with grpc.insecure_channel(address) as channel:
                GreeterStub(channel).SayHello(YOU)
            server.line(rf"INFO Received 1 calls on 1 connection\(s\), {second} in all")


def test_connections_end_at_their_age_and_never_without_one() -> None:
    def connections(*age: str) -> int:
        peers = set()
        with greeter("--log-level=DEBUG", *age) as (server, address), grpc.insecure_channel(address) as channel:
            for _ in range(100):
                GreeterStub(channel).SayHello(HelloRequest(name="you"))
                peers.add(server.line(r"from ipv4:(127\.0\.0\.1:\d+)$")[1])
                server.lines.clear()
        return len(peers)

    assert connections("--max-connection-age=20ms") > 1
    assert connections() == 1
