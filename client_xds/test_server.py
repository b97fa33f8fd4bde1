"""The xDS-enabled server by itself: what it waits for, how it ends, and what it refuses to start with."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from client_xds.greeter_servicer import Callers, GreeterServicer
from greeter_client.calls import greet
from greeter_server.greeter_servicer import ATTEMPTS
from greeter_server.server import GREETER
from helloworld import helloworld_pb2_grpc
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.client_xds import control_plane
from testing.mtls import HEALTH_PORT, Mesh, config_map, mesh
from testing.processes import loopback_network, process, wait_until

YOU = HelloRequest(name="you")
State = health_pb2.HealthCheckResponse


def state(address: str, service: str = GREETER) -> int:
    """What the kubelet is told."""
    with grpc.insecure_channel(f"{address.rpartition(':')[0]}:{HEALTH_PORT}") as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=10, wait_for_ready=True).status)


def is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_it_keeps_its_port_closed_and_is_not_ready_until_the_control_plane_has_said_how_to_serve(
    tmp_path: Path,
) -> None:
    with control_plane() as plane:
        running = Mesh(tmp_path, plane, config_map("greeter-xds.yaml", "greeter-xds"))
        with running.server(1, env=running.workload("server")) as (address, server):
            server.line("Waiting for the control plane")
            plane.start()  # which knows no Listener for servers
            assert state(address) == State.NOT_SERVING
            assert state(address, "") == State.SERVING  # alive it is
            assert not is_open(address)
            running.configure()
            server.line(f"Listening on {address}, as the control plane says")
            assert state(address) == State.SERVING
            assert is_open(address)


@pytest.mark.parametrize("ignores", [True, False])
def test_a_listener_that_is_withdrawn_stays_in_force_as_its_bootstrap_says_or_nobody_is_served(
    tmp_path: Path, ignores: bool
) -> None:
    with control_plane() as plane:
        running = Mesh(tmp_path, plane, config_map("greeter-xds.yaml", "greeter-xds"))
        running.configure()
        plane.start()
        env = running.workload("server")
        file = Path(env["GRPC_XDS_BOOTSTRAP"])
        assert '"ignore_resource_deletion"' in file.read_text()
        if not ignores:
            file.write_text(file.read_text().replace(', "ignore_resource_deletion"', ""))
        with running.server(1, env=env) as (address, server):
            server.line("Listening on")
            plane.configure()  # as if the ConfigMap were deleted
            server.line("does not exist")  # says gRPC
            expected = "OK" if ignores else "UNAVAILABLE"
            wait_until(expected, lambda: code(running, address) == expected)


def test_a_listener_that_cannot_be_is_refused_and_the_last_one_stays_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mesh(tmp_path, 1) as running:
        [address] = running.servers
        listener = yaml.safe_load(running.resources["listener.yaml"])
        del listener["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
        running.configure(listener=yaml.safe_dump(listener))
        why = "client certificate required but no certificate provider instance specified for validation"
        wait_until("it is refused", lambda: why in caplog.text)
        assert "NACK from greeter-server" in caplog.text
        assert code(running, address) == "OK"


def code(running: Mesh, address: str) -> str:
    """What becomes of a call on a connection of its own."""
    with running.direct(address, running.issued("client")) as channel:
        return greet(GreeterStub(channel), "you", 5).code


def test_it_has_reflection_and_answers_with_its_pods_address(tmp_path: Path) -> None:
    with mesh(tmp_path, 1) as running:
        [address] = running.servers
        with running.direct(address, running.issued("client")) as channel:
            assert GreeterStub(channel).SayHello(YOU, timeout=10).backend_ip == address.rpartition(":")[0]
            assert GREETER in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_a_stream_names_its_server_at_once(tmp_path: Path) -> None:
    with mesh(tmp_path, 1) as running:
        [address] = running.servers
        with running.direct(address, running.issued("client")) as channel:
            stream = GreeterStub(channel).SayHelloStream(iter([YOU, HelloRequest(name="me")]), timeout=10)
            assert dict(stream.initial_metadata())["backend-ip"] == address.rpartition(":")[0]
            assert [reply.message for reply in stream] == ["Hello you", "Hello me"]


class FailsFirst(grpc.ServerInterceptor):
    """Has every call fail until its client tries again."""

    def intercept_service(self, continuation: Callable[..., Any], details: Any) -> Any:
        if any(key == ATTEMPTS for key, _ in details.invocation_metadata):
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(grpc.StatusCode.UNAVAILABLE, ""))


@pytest.mark.parametrize("interceptors", [[], [FailsFirst()]])
def test_a_client_is_told_back_how_often_it_had_tried_before(interceptors: list[grpc.ServerInterceptor]) -> None:
    server = grpc.server(ThreadPoolExecutor(1), interceptors=interceptors)
    helloworld_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer("10.0.2.95", Callers()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    retry = {"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1}
    methods = [{"name": [{}], "retryPolicy": retry | {"retryableStatusCodes": ["UNAVAILABLE"]}}]
    options = [("grpc.service_config", json.dumps({"methodConfig": methods}))]
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            assert greet(GreeterStub(channel), "you", 10).attempts == 1 + len(interceptors)
    finally:
        server.stop(None).wait()


def test_a_stream_goes_on_while_the_server_ends_and_its_end_is_waited_for(tmp_path: Path) -> None:
    told = threading.Event()

    def names() -> Iterator[HelloRequest]:
        yield YOU
        told.wait()
        yield HelloRequest(name="at last")

    with mesh(tmp_path, 1, "--drain=0s", "--grace=20s") as running:
        [(address, server)] = running.servers.items()
        with running.direct(address, running.issued("client")) as channel:
            stream = GreeterStub(channel).SayHelloStream(names(), timeout=20)
            assert next(stream).message == "Hello you"
            server.signal(signal.SIGTERM)
            server.line("Stopping")
            told.set()
            assert next(stream).message == "Hello at last"
            assert list(stream) == []
        assert server.end() == 0
    assert "Stopped: 1 calls received" in server.lines[-1]


def test_a_call_that_outlasts_the_grace_is_cut_off(tmp_path: Path) -> None:
    told = threading.Event()

    def names() -> Iterator[HelloRequest]:
        yield YOU
        told.wait()

    with mesh(tmp_path, 1, "--drain=0s", "--grace=200ms") as running:
        [(address, server)] = running.servers.items()
        with running.direct(address, running.issued("client")) as channel:
            stream = GreeterStub(channel).SayHelloStream(names(), timeout=20)
            assert next(stream).message == "Hello you"
            server.signal(signal.SIGTERM)
            assert server.end() == 0
            told.set()
            assert stream.code().name in ("CANCELLED", "UNAVAILABLE")


def test_no_call_is_lost_when_one_of_three_ends_and_it_says_so_to_the_kubelet_first(tmp_path: Path) -> None:
    with mesh(tmp_path, 3, "--drain=2s") as running:
        env = running.workload("client")
        with running.client(env, "--duration=1h", "--rate=200", "--backends=3", "--json") as client:
            client.line("Measuring")
            address, server = next(iter(running.servers.items()))
            server.signal(signal.SIGTERM)
            server.line("Told to stop")
            assert state(address) == State.NOT_SERVING
            running.plane.publish(*[other for other in running.servers if other != address])
            assert server.end() == 0
            client.signal(signal.SIGTERM)
            measured = client.line(r'"failed_attempts": (\d+)')
    assert measured[1] == "0"


@pytest.mark.parametrize(
    ("bootstrap", "said"),
    [
        (None, "no xDS: GRPC_XDS_BOOTSTRAP is not set; name a bootstrap file"),
        ("/nowhere", "no xDS: GRPC_XDS_BOOTSTRAP is '/nowhere'; name a bootstrap file"),
        ("{", "no xDS: GRPC_XDS_BOOTSTRAP is '"),
        ("client", "name a bootstrap file with server_listener_resource_name_template"),
    ],
)
def test_without_a_bootstrap_for_servers_it_does_not_start(tmp_path: Path, bootstrap: str | None, said: str) -> None:
    env = {}
    if bootstrap:
        text = config_map("client.yaml", "greeter-client-xds")["bootstrap.json"]
        (file := tmp_path / "bootstrap.json").write_text("{" if bootstrap == "{" else text)
        env = {"GRPC_XDS_BOOTSTRAP": bootstrap if bootstrap == "/nowhere" else os.fspath(file)}
    with process("client_xds.server", f"--address={loopback_network()}.1:8443", env=env) as server:
        assert server.end() == 2
    assert said in server.lines[-1]
    assert server.lines[-1].startswith("client_xds.server: no xDS: ")
    assert not any("Traceback" in line for line in server.lines)


def test_grpc_itself_would_serve_everybody_in_plaintext_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRPC_XDS_BOOTSTRAP", raising=False)
    server = grpc.server(ThreadPoolExecutor(1), xds=True)
    credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as caught:
            GreeterStub(channel).SayHello(YOU, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # it has no handler, and no TLS
    finally:
        server.stop(None).wait()


async def test_a_server_of_grpc_aio_can_not_be_xds_enabled_and_takes_the_fallback_for_its_credentials() -> None:
    with pytest.raises(TypeError, match="xds"):
        grpc.aio.server(xds=True)  # type: ignore[call-arg]
    server = grpc.aio.server()
    credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await GreeterStub(channel).SayHello(YOU, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # it has no handler, and no TLS
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--address=8443", "'8443' is no address; give HOST:PORT"),
        ("--address=localhost:8443", "'localhost:8443' can't be asked for by xDS; give IP:PORT"),
        ("--address=127.0.0.1:0", "'127.0.0.1:0' can't be asked for by xDS; give IP:PORT"),
        ("--health-address=8081", "'8081' is no address"),
        ("--max-connection-age=0s", "'0s' is too short"),
        ("--drain=soon", "'soon' is not a duration"),
    ],
)
def test_a_wrong_flag_is_named_with_its_remedy(flag: str, said: str) -> None:
    with process("client_xds.server", flag) as server:
        assert server.end() == 2
    assert said in server.lines[-1]


@pytest.mark.parametrize("flag", ["--address", "--health-address"])
def test_a_port_in_use_is_named(tmp_path: Path, flag: str) -> None:
    with control_plane() as plane, socket.create_server((f"{loopback_network()}.1", 0)) as taken:
        running = Mesh(tmp_path, plane, {})
        address = "{}:{}".format(*taken.getsockname())
        flags = [f"--address={running.network}.9:8443", f"{flag}={address}"]
        with process("client_xds.server", *flags, env=running.workload("server")) as server:
            assert server.end() == 2
    assert f"client_xds.server: cannot listen on {address}" in server.lines[-1]
    assert server.lines[-1].endswith(f"hoose another with {flag}")


def test_grpc_itself_would_abort_then(tmp_path: Path) -> None:
    with mesh(tmp_path, 1) as running:
        [address] = running.servers
        run = subprocess.run(
            [sys.executable, "-c", SERVES, address],
            env={**os.environ, **running.workload("server", "other")},
            timeout=20,
        )
    assert run.returncode == -signal.SIGABRT


SERVES = """
import sys, grpc
from concurrent.futures import ThreadPoolExecutor
server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)], xds=True)
server.add_secure_port(sys.argv[1], grpc.xds_server_credentials(grpc.insecure_server_credentials()))
server.start()
server.wait_for_termination()
"""
