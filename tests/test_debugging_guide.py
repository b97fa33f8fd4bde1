"""docs/debugging.md stays true: its tracers, methods, commands, log lines and error messages are the programs' own."""

import http.server
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import grpc
import pytest
import trustme
from dnslib import RCODE, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from catalogue import ROOT
from helloworld import helloworld_pb2, helloworld_pb2_grpc
from testing import envoy
from testing.dns import dns
from testing.processes import greeter, process

PAGE = (ROOT / "docs" / "debugging.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
OUTPUTS = re.findall(r"^```text\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
SHOWN = dict(re.findall(r"^```sh\n([^\n]*)\n```\n\n```text\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL))
GRPCURL = {command: output for command, output in SHOWN.items() if "grpcurl -plaintext" in command}
ADDRESS = "127.0.0.1:8000"  # on the page
AGES = ("--max-connection-age=500ms", "--max-connection-age-grace=500ms")


def command_with(text: str) -> str:
    found: list[str] = [command for command in COMMANDS if text in command]
    assert len(found) == 1, found
    return found[0]


# Tracers


@pytest.fixture(scope="module")
def known_tracers() -> set[str]:
    """Those that the page's own command lists."""
    command = command_with("list_tracers").replace("python", sys.executable)
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
    return set(re.findall(r"\]   (\w+)$", run.stderr, re.MULTILINE))


def test_the_tracers_of_the_page_are_known(known_tracers: set[str]) -> None:
    named = {name for names in re.findall(r"GRPC_TRACE=([\w,]+)", PAGE) for name in names.split(",")} - {"list_tracers"}
    table = PAGE.partition("| GRPC_TRACE |")[2].partition("\n\n")[0]
    named |= set(re.findall(r"`(\w+)`", table))
    assert len(named) > 10
    assert named <= known_tracers, f"unknown: {sorted(named - known_tracers)}"


def test_the_tracers_that_the_page_calls_unknown_are(known_tracers: set[str]) -> None:
    old = set(re.findall(r"`(\w+)`", PAGE.partition("older guides still say")[2].partition(". ")[0]))
    assert old
    assert not old & known_tracers


def test_the_traces_shown_are_printed_by_a_client() -> None:
    shown = SHOWN[command_with("event_engine_client_channel_resolver,")]
    tracers = re.findall(r"GRPC_TRACE=(\w+,\w+)", command_with("event_engine_client_channel_resolver,"))[0]
    client = ["client_roundrobin.client", "--count=3"]
    with greeter() as (_, address):
        port = address.rpartition(":")[2]
        with process(*client, f"--target=localhost:{port}", env={"GRPC_TRACE": tracers}) as running:
            assert running.end() == 0
    traced = {normal_trace(line) for line in running.lines}
    missing = [line for line in shown.splitlines() if line != "…" and normal_trace(line) not in traced]
    assert not missing


def normal_trace(line: str) -> str:
    line = re.sub(r"^I\d+ [\d:.]+ +\d+ (\w+\.cc):\d+\]", r"\1", line)
    return re.sub(r"0x\w+|\d+", "N", line)


# Methods, through reflection: what grpcurl does, without grpcurl


class Called(NamedTuple):
    """A server that has answered a call over a connection that still lives."""

    channel: grpc.Channel
    address: str
    database: Any
    ids: dict[str, int]  # channelz's, by the names that the page's commands use

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        service, _, name = method.partition("/")
        descriptor = DescriptorPool(self.database).FindServiceByName(service).methods_by_name[name]
        reply = GetMessageClass(descriptor.output_type)
        rpc: Any = self.channel.unary_unary(f"/{method}", response_deserializer=reply.FromString)
        message = json_format.ParseDict(request, GetMessageClass(descriptor.input_type)())
        answer = rpc(message.SerializeToString(), timeout=5)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    def here(self, command: str) -> str:
        """The page's command for this server."""
        for name, number in self.ids.items():
            command = re.sub(rf'"{name}": \d+', f'"{name}": {number}', command)
        return command.replace(ADDRESS, self.address)


@pytest.fixture(scope="module")
def called() -> Iterator[Called]:
    with greeter() as (_, address), grpc.insecure_channel(address) as channel:
        helloworld_pb2_grpc.GreeterStub(channel).SayHello(helloworld_pb2.HelloRequest(name="you"), timeout=5)
        # One that fails, for the counters are absent while they are 0.
        unknown: Any = channel.unary_unary("/helloworld.Greeter/Unknown")
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            unknown(b"", timeout=5)
        server = Called(channel, address, ProtoReflectionDescriptorDatabase(channel), {})
        channelz = "grpc.channelz.v1.Channelz"
        (ours,) = server.call(f"{channelz}/GetServers", {})["server"]
        server.ids["server_id"] = int(ours["ref"]["server_id"])
        sockets = server.call(f"{channelz}/GetServerSockets", {"server_id": server.ids["server_id"]})
        server.ids["socket_id"] = int(sockets["socket_ref"][0]["socket_id"])
        yield server


def test_the_services_listed_are_those_of_the_server(called: Called) -> None:
    (listed,) = [output for command, output in SHOWN.items() if command.endswith(" list")]
    assert sorted(called.database.get_services()) == listed.split()


def test_the_methods_named_are_offered(called: Called) -> None:
    named = set(re.findall(r"\b((?:\w+\.)+[A-Z]\w+)/([A-Z]\w+)\b", PAGE))
    assert {service for service, _ in named} >= {"helloworld.Greeter", "grpc.health.v1.Health"}
    pool = DescriptorPool(called.database)
    for service, method in named:
        assert method in pool.FindServiceByName(service).methods_by_name


UNARY = [command for command, output in GRPCURL.items() if output.startswith("{")]


@pytest.mark.parametrize("command", UNARY, ids=[command.split()[-1] for command in UNARY])
def test_the_answers_shown_have_the_fields_of_real_ones(command: str, called: Called) -> None:
    words = shlex.split(called.here(command))
    request = json.loads(words[words.index("-d") + 1]) if "-d" in words else {}
    answer = called.call(words[-1], request)
    assert fields(GRPCURL[command]) <= fields(json.dumps(answer))


def fields(text: str) -> set[str]:
    return set(re.findall(r'"(\w+)":', text))


@pytest.mark.skipif(not shutil.which("grpcurl"), reason="grpcurl, which the page's commands need, is built with Go")
@pytest.mark.parametrize("command", GRPCURL, ids=[re.findall(r"127\S+ (\S+)", command)[0] for command in GRPCURL])
def test_the_grpcurl_commands_print_what_is_shown(command: str, called: Called) -> None:
    with ExitStack() as stack:
        here = called.here(command)
        if "sleep 20" in command:
            _, address = stack.enter_context(greeter(*AGES))
            here = command.replace("sleep 20", "sleep 3").replace(ADDRESS, address)
        run = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=30, cwd=ROOT)
    shown = GRPCURL[command]
    if shown.startswith("{"):
        assert fields(shown) <= fields(run.stdout), run.stderr
    else:
        printed = {normal_frame(line) for line in run.stdout.splitlines()}
        missing = [line for line in shown.splitlines() if normal_frame(line) not in printed]
        assert not missing, run.stdout + run.stderr


def normal_frame(line: str) -> str:
    line = re.sub(r"^[\d/]+ [\d:]+ (http2: )(Framer 0x\w+: )?", r"\1", line)
    return re.sub(r"\d[\d.]*", "N", line)


# Log lines

LOG_LINE = re.compile(
    r"^(?:\[pod/\S+\] )?(?:\d+-\d+-\d+ [\d:,]+ INFO )?"  # kubectl logs --prefix, logging
    r"(?: +\d+ )?"  # uniq -c
    r"((?:Received|Listening|Will use|Creating channel|Greeting|No answer)\b.*)"
)


def test_the_log_lines_shown_are_written_by_the_real_programs() -> None:
    shown = {normal_log(line) for output in OUTPUTS for line in output.splitlines() if LOG_LINE.match(line)}
    assert len(shown) >= 7
    with ExitStack() as stack:
        server, address = stack.enter_context(greeter())
        client = stack.enter_context(process("client_roundrobin.client", f"--target={address}"))
        client.line("Greeting: ")
        server.line("Received ")
        refused = stack.enter_context(process("clusterip.client", f"--target={stack.enter_context(Closed())}"))
        refused.line("No answer: ")
        nowhere = f"dns://{stack.enter_context(Nxdomain())}/greeter-server:8000"
        unknown = stack.enter_context(process("client_roundrobin.client", f"--target={nowhere}"))
        unknown.line("No answer: ")
        written = {normal_log(line) for one in (server, client, refused, unknown) for line in one.lines}
    assert shown <= written, f"never written: {sorted(shown - written)}"


def normal_log(line: str) -> str:
    found = LOG_LINE.match(line)
    line = re.sub(
        r"(Listening on|target|resolving|lookup failed for) [^\s,]+?(?=,|:?\s|:?$)", r"\1 X", found[1] if found else ""
    )
    return re.sub(r"\d[\d.:]*", "N", line)


# Error messages


class Closed:
    """The address of a port that refuses connections, and that nobody else can take."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class Mute(Closed):
    """A UDP port that swallows what it gets."""

    def __enter__(self) -> str:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{self._socket.getsockname()[1]}"


class Nxdomain(BaseResolver):  # type: ignore[misc]
    """A DNS server that knows no name."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def __enter__(self) -> str:
        self._server = DNSServer(self, address="127.0.0.1", port=0)
        self._server.start_thread()
        host, port = self._server.server.server_address
        return f"{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()


class Http1:
    """An HTTP server that has not heard of HTTP/2."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    def __enter__(self) -> str:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Servers(NamedTuple):
    plaintext: str
    tls: str
    aged: str
    authority: bytes


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("greeter-server")
    issued.private_key_pem.write_to_path(directory / "tls.key")
    issued.cert_chain_pems[0].write_to_path(directory / "tls.crt")
    secure = [f"--tls-cert={directory / 'tls.crt'}", f"--tls-key={directory / 'tls.key'}"]
    with greeter("--faults") as (_, plaintext), greeter(*secure) as (_, tls), greeter(*AGES) as (_, aged):
        yield Servers(plaintext, tls, aged, authority.cert_pem.bytes())


def failure(
    target: str,
    *,
    options: list[tuple[str, Any]] | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    name: str = "you",
    metadata: list[tuple[str, str]] | None = None,
    method: str = "SayHello",
    timeout: float = 20,
) -> str:
    """What a call's failure says, its status first."""
    options = [("grpc.enable_http_proxy", 0), *(options or [])]
    secure = credentials and grpc.secure_channel(target, credentials, options=options)
    with secure or grpc.insecure_channel(target, options=options) as channel:
        rpc: Any = channel.unary_unary(f"/helloworld.Greeter/{method}")
        request = helloworld_pb2.HelloRequest(name=name).SerializeToString()
        with pytest.raises(grpc.RpcError) as failed:
            rpc(request, timeout=timeout, metadata=metadata)
    return f"{failed.value.code().name} {failed.value.details()}"


def unanswered_dns(server: Closed | Nxdomain) -> str:
    with server as address:
        return failure(f"dns://{address}/greeter-server:8000")


def refused(server: Closed | Http1) -> str:
    with server as address:
        return failure(address)


def secured(servers: Servers, name: str, authority: bytes | None) -> str:
    options = [("grpc.ssl_target_name_override", name)]
    return failure(servers.tls, credentials=grpc.ssl_channel_credentials(authority), options=options)


def outlived(servers: Servers) -> str:
    """A stream that says nothing and waits."""
    silence = threading.Event()

    def requests() -> Iterator[helloworld_pb2.HelloRequest]:
        silence.wait(20)
        yield from ()

    with grpc.insecure_channel(servers.aged) as channel:
        try:
            with pytest.raises(grpc.RpcError) as failed:
                list(helloworld_pb2_grpc.GreeterStub(channel).SayHelloStream(requests(), timeout=20))
        finally:
            silence.set()
    return str(failed.value.details())


def without_hosts() -> str:
    """Through the Envoy of a manifest, where DNS knows nobody."""
    config = envoy.config(ROOT / "client_envoy" / "manifests" / "client.yaml")
    with dns([]) as names, envoy.envoy(config, names.server) as running:
        return failure(f"{running.ip}:9000")


def unhealthy(servers: Servers) -> str:
    config = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "another"}}
    return failure(servers.plaintext, options=[("grpc.service_config", json.dumps(config))])


def pinging(servers: Servers) -> str:
    options = [("grpc.keepalive_time_ms", 500), ("grpc.http2.max_pings_without_data", 0)]
    return failure(servers.plaintext, options=options, metadata=[("fault", "hang")])


REPRODUCED: dict[str, Callable[[Servers], str]] = {
    "Domain name not found": lambda _: unanswered_dns(Nxdomain()),
    "Could not contact DNS servers": lambda _: unanswered_dns(Closed()),
    "Timeout while contacting DNS servers": lambda _: unanswered_dns(Mute()),
    "Misformatted domain name": lambda _: failure("headless:///greeter-server:8000"),
    "the target uri is not valid": lambda _: failure("dns://greeter-server:8000"),
    "Connection refused": lambda _: refused(Closed()),
    "backend unhealthy": unhealthy,
    "no healthy upstream": lambda _: without_hosts(),
    "Failed parsing HTTP/2": lambda _: refused(Http1()),
    "Socket closed": lambda servers: failure(servers.tls),
    "WRONG_VERSION_NUMBER": lambda servers: failure(servers.plaintext, credentials=grpc.ssl_channel_credentials()),
    "CERTIFICATE_VERIFY_FAILED": lambda servers: secured(servers, "greeter-server", None),
    "Hostname Verification Check failed": lambda servers: secured(servers, "10.0.2.95", servers.authority),
    "DEADLINE_EXCEEDED": lambda servers: failure(servers.plaintext, metadata=[("fault", "hang")], timeout=0.5),
    "max connection age": outlived,
    "Too many pings": pinging,
    "Received message larger than max": lambda servers: failure(servers.plaintext, name="x" * 5 * 2**20),
    "received metadata size exceeds hard limit": lambda servers: failure(
        servers.plaintext, metadata=[("token", "x" * 20_000)]
    ),
    "Method not found!": lambda servers: failure(servers.plaintext, method="SayGoodbye"),
}
ON_A_CLUSTER_ONLY = {"No route to host"}  # the address of a pod that is gone
# Of a strategy's own tests, which look for them on the page, too.
OF_GRPCLB = {
    "entering fallback mode",
    "grpclb in fallback mode without any fallback addresses",
    "no supported policies found in config",
    "all SubConns are in TransientFailure",
}
OF_INGRESS = {
    *(f"Received http2 header with status: {status}" for status in (0, 308, 404, 413, 502, 503, 504)),
    "RST_STREAM with error code 2",
    "Stream removed",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    "connection termination",
    "missing selected ALPN property",
    "remote connection failure",
    "unexpected HTTP status code received from server: 404",
    "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    "upstream request timeout",
}


def test_every_message_of_the_table_is_reproduced_here() -> None:
    rows = PAGE.partition("\n## Symptom, cause, remedy\n")[2].partition("\n## ")[0].splitlines()
    messages = {
        message for row in rows for message in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert messages - ON_A_CLUSTER_ONLY - OF_GRPCLB - OF_INGRESS == set(REPRODUCED)
    assert messages >= OF_GRPCLB | OF_INGRESS


SLOW = {"Timeout while contacting DNS servers"}  # 13 s: c-ares' own patience


@pytest.mark.parametrize(
    "message", [pytest.param(message, marks=pytest.mark.slow if message in SLOW else ()) for message in REPRODUCED]
)
def test_the_message_is_what_a_client_gets(message: str, servers: Servers) -> None:
    assert message in REPRODUCED[message](servers)
