"""docs/debugging.md stays true: its tracers, methods, commands, log lines and error messages are the programs' own."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from catalogue import ROOT
from grpclb import load_balancer_pb2
from helloworld import helloworld_pb2, helloworld_pb2_grpc
from testing.processes import greeter, process
from tests.broken import Closed, Nxdomain

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
    code = command_with("list_tracers").partition("python -c ")[2].strip("'")
    listing = os.environ | {"GRPC_TRACE": "list_tracers"}
    run = subprocess.run([sys.executable, "-c", code], env=listing, capture_output=True, text=True, timeout=20)
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
    (listed,) = {output for command, output in SHOWN.items() if command.endswith(" list")}
    assert sorted(called.database.get_services()) == listed.split()


BALANCER = load_balancer_pb2.DESCRIPTOR.services_by_name["LoadBalancer"]


def test_the_methods_named_are_offered(called: Called) -> None:
    named = set(re.findall(r"\b((?:\w+\.)+[A-Z]\w+)/([A-Z]\w+)\b", PAGE))
    assert {service for service, _ in named} >= {"helloworld.Greeter", "grpc.health.v1.Health", BALANCER.full_name}
    pool = DescriptorPool(called.database)
    named -= {(BALANCER.full_name, method) for method in BALANCER.methods_by_name}
    for service, method in named:
        assert method in pool.FindServiceByName(service).methods_by_name


UNARY = [command for command, output in GRPCURL.items() if output.startswith("{") and "$(" not in command]


@pytest.mark.parametrize("command", UNARY, ids=[command.split()[-1] for command in UNARY])
def test_the_answers_shown_have_the_fields_of_real_ones(command: str, called: Called) -> None:
    words = shlex.split(called.here(command))
    request = json.loads(words[words.index("-d") + 1]) if "-d" in words else {}
    answer = called.call(words[-1], request)
    assert fields(GRPCURL[command]) <= fields(json.dumps(answer))


def fields(text: str) -> set[str]:
    return set(re.findall(r'"(\w+)":', text))


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


def test_its_ingress_has_a_host_of_its_own() -> None:
    """On a cluster another page is followed at the same time, and an edge sends a host's calls to one Ingress."""
    host = "grpctest.dev.example.com"
    assert host in (ROOT / "ingress" / "README.md").read_text()
    assert "s/grpctest/debugging/" in PAGE
    assert host not in PAGE
