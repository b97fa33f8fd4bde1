"""docs/debugging.md's table of what is said when a call fails: each text is provoked, in each language that has it."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import trustme

from catalogue import ROOT
from helloworld import helloworld_pb2, helloworld_pb2_grpc
from testing import envoy
from testing.dns import dns
from testing.processes import Process, greeter, loopback_network, process, wait_until
from tests import languages
from tests.broken import Closed, Http1, Mute, Nxdomain, Resets, WithoutAlpn
from tests.languages import Call

PAGE = (ROOT / "docs" / "debugging.md").read_text()
TABLE = PAGE.partition("\n## What is said, cause, remedy\n")[2].partition("\n## ")[0]
NAME = "greeter-server"
HANG = {"fault": "hang"}

Asked = dict[str, Any]  # what a Call takes
Text = tuple[str, str]  # a language, and what is said


class Servers(NamedTuple):
    """Some that are well, if not for everybody."""

    plaintext: str
    tls: str
    certificate: trustme.LeafCert
    authority: str  # a file


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert(NAME)
    issued.private_key_pem.write_to_path(directory / "tls.key")
    issued.cert_chain_pems[0].write_to_path(directory / "tls.crt")
    authority.cert_pem.write_to_path(directory / "ca.crt")
    secure = [f"--tls-cert={directory / 'tls.crt'}", f"--tls-key={directory / 'tls.key'}"]
    with greeter("--faults") as (_, plaintext), greeter(*secure) as (_, tls):
        yield Servers(plaintext, tls, issued, str(directory / "ca.crt"))


# What is wrong → what each language says of it. Envoy's words reach every language alike.

Scenario = Callable[[Servers], AbstractContextManager[Asked]]
SAID: dict[Scenario, dict[str, str]] = {}


def says(**words: str) -> Callable[[Callable[[Servers], Iterator[Asked]]], Scenario]:
    """Take note of what a situation makes clients say."""

    def note(situation: Callable[[Servers], Iterator[Asked]]) -> Scenario:
        scenario = contextmanager(situation)
        SAID[scenario] = words
        return scenario

    return note


@says(Python="Domain name not found", Go="produced zero addresses", Node="Name resolution failed")
def no_such_name(_: Servers) -> Iterator[Asked]:
    with Nxdomain() as server:
        yield {"target": f"dns://{server}/{NAME}:8000"}


@says(Python="Could not contact DNS servers", Go="A record lookup error", Node="Name resolution failed")
def no_dns(_: Servers) -> Iterator[Asked]:
    with Closed() as server:
        yield {"target": f"dns://{server}/{NAME}:8000"}


@says(Python="Timeout while contacting DNS servers")  # after 13 s: c-ares' own patience
def dns_is_mute(_: Servers) -> Iterator[Asked]:
    with Mute() as server:
        yield {"target": f"dns://{server}/{NAME}:8000"}


@says(Python="Misformatted domain name")
def unknown_scheme(_: Servers) -> Iterator[Asked]:
    yield {"target": f"headless:///{NAME}:8000"}


@says(Python="the target uri is not valid", Go="invalid target address")
def two_slashes(_: Servers) -> Iterator[Asked]:
    yield {"target": f"dns://{NAME}:8000"}


@says(Python="GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG not defined")
def no_bootstrap(_: Servers) -> Iterator[Asked]:
    yield {"target": f"xds:///{NAME}"}


@says(Python="Connection refused", Go="connection refused", Node="connect ECONNREFUSED")
def nobody_listens(_: Servers) -> Iterator[Asked]:
    with Closed() as server:
        yield {"target": server}


@says(Node="No connection established")
def nobody_listens_to_node(servers: Servers) -> Iterator[Asked]:
    with nobody_listens(servers) as asked:
        yield asked


@says(Python="Failed parsing HTTP/2", Go="http2: frame too large", Node="Protocol error")
def http_1(_: Servers) -> Iterator[Asked]:
    with Http1() as server:
        yield {"target": server}


@says(Python="Socket closed", Go="error reading server preface: EOF", Node="Failed to connect")
def plaintext_to_tls(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.tls}


@says(
    Python="WRONG_VERSION_NUMBER",
    Go="first record does not look like a TLS handshake",
    Node="wrong version number",
)
def tls_to_plaintext(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "tls": True}


@says(
    Python="CERTIFICATE_VERIFY_FAILED",
    Go="certificate signed by unknown authority",
    Node="unable to verify the first certificate",
)
def unknown_authority(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.tls, "tls": True, "override": NAME}


@says(
    Python="Hostname Verification Check failed",
    Go="certificate is valid for",
    Node="does not match certificate's altnames",
)
def another_name(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.tls, "tls": True, "authority": servers.authority, "override": "another"}


@says(Python="missing selected ALPN property", Go="missing selected ALPN property", Node="Failed to connect")
def without_alpn(servers: Servers) -> Iterator[Asked]:
    with WithoutAlpn(servers.certificate) as server:
        yield {"target": server, "tls": True, "authority": servers.authority, "override": NAME}


@says(Python="backend unhealthy")
def unhealthy(servers: Servers) -> Iterator[Asked]:
    config = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "another"}}
    yield {"target": servers.plaintext, "options": [("grpc.service_config", json.dumps(config))]}


@contextmanager
def once_called(server: Process, end: Callable[[Process], None]) -> Iterator[None]:
    """End a greeter once it has a call."""

    def end_it() -> None:
        server.line(r"Received 1 calls on")
        end(server)

    ending = threading.Thread(target=end_it)
    ending.start()
    yield
    ending.join()


@contextmanager
def ended_in_mid_call(end: Callable[[Process], None], *flags: str) -> Iterator[Asked]:
    with greeter("--faults", *flags) as (server, address), once_called(server, end):
        yield {"target": address, "metadata": HANG}


@says(Python="Socket closed", Go="error reading from server: EOF", Node="Connection dropped")
def killed_in_mid_call(_: Servers) -> Iterator[Asked]:
    with ended_in_mid_call(Process.kill) as asked:
        yield asked


@says(Python="Connection reset by peer")
def reset_in_mid_call(_: Servers) -> Iterator[Asked]:
    with Resets() as server:
        yield {"target": server}


@says(Python="Cancelling all calls", Go="Cancelling all calls")
def stopped_in_mid_call(_: Servers) -> Iterator[Asked]:
    with ended_in_mid_call(lambda server: server.signal(signal.SIGTERM), "--drain=0s", "--grace=100ms") as asked:
        yield asked


@says(Python="DEADLINE_EXCEEDED", Go="context deadline exceeded", Node="Deadline exceeded after")
def no_answer(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "metadata": HANG, "timeout": 1}


PINGING = [("grpc.keepalive_time_ms", 500), ("grpc.http2.max_pings_without_data", 0)]


@says(Python="Too many pings")
def pings_too_often(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "metadata": HANG, "options": PINGING}


@says(Node="Bandwidth exhausted or memory limit exceeded")
def node_pings_too_often(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "metadata": HANG, "keepalive": 0.5}


@says(**dict.fromkeys(("Python", "Go", "Node"), "Received message larger than max"))
def large_message(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "bytes": 5 * 2**20}


@says(
    Python="received metadata size exceeds hard limit",
    Go="header list size to send violates the maximum size",
    Node="received metadata size exceeds hard limit",
)
def large_metadata(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "metadata": {"token": "x" * 20_000}}


@says(**dict.fromkeys(("Python", "Go", "Node"), "Method not found!"))
def no_such_method(servers: Servers) -> Iterator[Asked]:
    yield {"target": servers.plaintext, "method": "SayGoodbye"}


# Through an Envoy

HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
ACCESS_LOG = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
LOG_FORMAT = {"text_format_source": {"inline_string": "%REQ(:PATH)% %GRPC_STATUS% %RESPONSE_FLAGS%\n"}}


@contextmanager
def proxy(upstream: str, route: Asked | None = None, cluster: Asked | None = None, prefix: str = "/") -> Iterator[str]:
    """An Envoy that sends everything to one server, over HTTP/2; gives its address."""
    ip, _, port = upstream.partition(":")
    endpoint = {"endpoint": {"address": {"socket_address": {"address": ip, "port_value": int(port)}}}}
    http2 = {"@type": HTTP, "explicit_http_config": {"http2_protocol_options": {}}}
    routes = [{"match": {"prefix": prefix}, "route": {"cluster": "greeter", "timeout": "0s"} | (route or {})}]
    manager = {
        "@type": MANAGER,
        "stat_prefix": "grpc",
        "access_log": [{"name": "log", "typed_config": {"@type": ACCESS_LOG, "log_format": LOG_FORMAT}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9000}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    greeters = {
        "name": "greeter",
        "load_assignment": {"cluster_name": "greeter", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
    } | (cluster or {})
    config = {"static_resources": {"listeners": [listener], "clusters": [greeters]}}
    with envoy.envoy(config, "127.0.0.1:1") as running:
        yield f"{running.ip}:9000"


def elsewhere() -> str:
    """An address that the Envoy of a test, which takes 127.0.0.1 for its own, can reach."""
    return f"{loopback_network()}.1"


@says(Envoy="upstream connect error or disconnect/reset before headers. reset reason: remote connection failure")
def nobody_behind_it(_: Servers) -> Iterator[Asked]:
    with proxy(f"{elsewhere()}:1") as address:
        yield {"target": address}


@says(Envoy="reset reason: protocol error")
def http_1_behind_it(_: Servers) -> Iterator[Asked]:
    with Http1(elsewhere()) as server, proxy(server) as address:
        yield {"target": address}


@says(Envoy="reset reason: connection termination")
def killed_behind_it(_: Servers) -> Iterator[Asked]:
    with (
        greeter("--faults", address=f"{elsewhere()}:0") as (server, upstream),
        proxy(upstream) as address,
        once_called(server, Process.kill),
    ):
        yield {"target": address, "metadata": HANG}


@says(Envoy="reset reason: overflow")
def more_than_it_allows(_: Servers) -> Iterator[Asked]:
    none = {"circuit_breakers": {"thresholds": [{"max_requests": 0}]}}
    with greeter(address=f"{elsewhere()}:0") as (_, upstream), proxy(upstream, cluster=none) as address:
        yield {"target": address}


@says(Envoy="retried and the latest reset reason: remote connection failure")
def retried_in_vain(_: Servers) -> Iterator[Asked]:
    retries = {"retry_policy": {"retry_on": "connect-failure", "num_retries": 1}}
    with proxy(f"{elsewhere()}:1", route=retries) as address:
        yield {"target": address}


@says(Envoy="upstream request timeout")
def slower_than_it_waits(_: Servers) -> Iterator[Asked]:
    with (
        greeter("--faults", address=f"{elsewhere()}:0") as (_, upstream),
        proxy(upstream, route={"timeout": "0.5s"}) as address,
    ):
        yield {"target": address, "metadata": HANG}


@says(Envoy="no healthy upstream")
def without_hosts(_: Servers) -> Iterator[Asked]:
    """The Envoy of a manifest, where DNS knows nobody."""
    config = envoy.config(ROOT / "client_envoy" / "manifests" / "client.yaml")
    with dns([]) as names, envoy.envoy(config, names.server) as running:
        yield {"target": f"{running.ip}:9000"}


# What its access log has a flag for and its client no words


@contextmanager
def no_route(_: Servers) -> Iterator[Asked]:
    with proxy(f"{elsewhere()}:1", prefix="/another") as address:
        yield {"target": address}


@contextmanager
def slower_than_its_client_waits(_: Servers) -> Iterator[Asked]:
    with greeter("--faults", address=f"{elsewhere()}:0") as (_, upstream), proxy(upstream) as address:
        yield {"target": address, "metadata": HANG, "timeout": 1}


@contextmanager
def left_by_its_client(_: Servers) -> Iterator[Asked]:
    with (
        greeter("--faults", address=f"{elsewhere()}:0") as (server, upstream),
        proxy(upstream) as address,
        process(
            "clusterip.client", f"--target={address}", "--metadata=fault=hang", "--count=1", "--deadline=20s"
        ) as client,
    ):
        server.line("Fault asked for")
        client.kill()
        yield {"target": address}


FLAGS: dict[str, Scenario] = {
    "UH": without_hosts,
    "UF": nobody_behind_it,
    "UPE": http_1_behind_it,
    "UC": killed_behind_it,
    "UO": more_than_it_allows,
    "UT": slower_than_it_waits,
    "URX,UF": retried_in_vain,
    "NR": no_route,
    "DR": slower_than_its_client_waits,
    "DC": left_by_its_client,
}


@pytest.mark.parametrize("flag", FLAGS)
def test_envoys_access_log_says_by_a_flag_what_happened(
    flag: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[envoy.Envoy] = []
    start = envoy.envoy

    @contextmanager
    def logging_at_once(config: envoy.Config, dns: str) -> Iterator[envoy.Envoy]:
        with start(config, dns, "--file-flush-interval-msec", "50") as running:
            started.append(running)
            yield running

    monkeypatch.setattr(envoy, "envoy", logging_at_once)
    with FLAGS[flag](servers) as asked:
        languages.python(**asked)
        [running] = started
        wait_until(f"{flag} in {running.log}", lambda: re.search(rf"SayHello .*\b{flag}$", running.log, re.MULTILINE))


def test_every_flag_of_the_guide_is_provoked() -> None:
    table = PAGE.partition("| Flag |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\S+)` \|", table, re.MULTILINE) == list(FLAGS)


ROWS = [
    pytest.param(
        scenario,
        language,
        id=f"{language}: {words[:60]}",
        marks=pytest.mark.slow if scenario is dns_is_mute else (),
    )
    for scenario, said in SAID.items()
    for language, words in said.items()
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Call]:
    """The client of each language, built when it is first needed."""

    @cache
    def call(language: str) -> Call:
        match language:
            case "Go":
                return languages.go(tmp_path_factory.mktemp("go"))
            case "Node":
                return languages.node(tmp_path_factory.mktemp("node"))
        return languages.python

    return call


@pytest.mark.parametrize(("scenario", "language"), ROWS)
def test_it_is_what_a_client_says(
    scenario: Scenario, language: str, servers: Servers, calls: Callable[[str], Call]
) -> None:
    call = calls(language)
    with scenario(servers) as asked:
        assert SAID[scenario][language] in call(**asked)


def test_a_stream_that_outlives_its_connections_age() -> None:
    silence = threading.Event()

    def requests() -> Iterator[helloworld_pb2.HelloRequest]:
        silence.wait(20)
        yield from ()

    ages = ("--max-connection-age=500ms", "--max-connection-age-grace=500ms")
    with greeter(*ages) as (_, address), grpc.insecure_channel(address) as channel:
        try:
            with pytest.raises(grpc.RpcError) as failed:
                list(helloworld_pb2_grpc.GreeterStub(channel).SayHelloStream(requests(), timeout=20))
        finally:
            silence.set()
    assert "max connection age" in str(failed.value.details())


def test_what_pings_too_often_is_told_so_in_its_log(servers: Servers) -> None:
    code = f"from tests.languages import python; python({servers.plaintext!r}, metadata={HANG}, options={PINGING})"
    client = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "ENHANCE_YOUR_CALM" in client.stderr
    assert "too_many_pings" in client.stderr


def test_a_client_fails_on_until_its_back_off_is_over() -> None:
    """The server is there, and the next call fails at once, with the old reason; one that waits succeeds."""
    with Closed() as address:
        options = [("grpc.initial_reconnect_backoff_ms", 3000), ("grpc.min_reconnect_backoff_ms", 3000)]
        channel = grpc.insecure_channel(address, options=options)
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        ask = helloworld_pb2.HelloRequest(name="you")
        with pytest.raises(grpc.RpcError, match="Connection refused"):
            stub.SayHello(ask, timeout=20)
    with greeter(address=address), channel:
        with grpc.insecure_channel(address) as fresh:
            assert helloworld_pb2_grpc.GreeterStub(fresh).SayHello(ask, timeout=20).message == "Hello you"
        with pytest.raises(grpc.RpcError, match="Connection refused"):
            stub.SayHello(ask, timeout=20)
        assert stub.SayHello(ask, timeout=20, wait_for_ready=True).message == "Hello you"


def test_node_asks_the_dns_server_that_a_target_names(calls: Callable[[str], Call]) -> None:
    """By the variable that the lab sets, too: else it would ask the machine's resolver."""
    call = calls("Node")
    with greeter() as (_, address), dns(["127.0.0.1"]) as names:
        assert call(f"dns://{names.server}/{NAME}:{address.rpartition(':')[2]}") == "OK"


# The table

# What other tests provoke, which are named here.
ELSEWHERE = {
    "lab/conformance/test_probes.py": {
        "failed to connect service",
        "this server does not implement the grpc health protocol",
        "code = NotFound",
        'service unhealthy (responded with "NOT_SERVING")',
    },
    "lab/conformance/test_termination.py": {"FailedPreStopHook", "PreStopHook failed"},
    "grpclb/test_what_people_meet.py": {
        "entering fallback mode",
        "grpclb in fallback mode without any fallback addresses",
    },
    "grpclb/test_go_client.py": {"no supported policies found in config", "all SubConns are in TransientFailure"},
    "ingress/test_what_people_meet.py": {
        *(f"Received http2 header with status: {status}" for status in (0, 404, 413, 502, 503, 504)),
        "RST_STREAM with error code 2",
        "Stream removed",
        "unexpected HTTP status code received from server: 404",
    },
    "lab/ingress_nginx/test_settings.py": {
        "Received http2 header with status: 308",
        "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    },
    "client_xds/test_what_people_meet.py": {
        "xDS channel for server",
        "LDS resource",
        "CDS resource",
        ": does not exist",
        "contains no localities",
        "invalid resource: errors validating",
        "No matching route found in xDS route config",
        "could not find VirtualHost for",
        "server_listener_resource_name_template not provided in bootstrap file",
    },
    "tests/test_faq.py": {"RST_STREAM with error code 7"},
    "tests/test_error_texts.py": {"max connection age", "ENHANCE_YOUR_CALM", "too_many_pings"},
}
ON_A_CLUSTER_ONLY = {"No route to host"}  # the address of a pod that is gone
DETAILS = {"within 1s"}  # of a text before it


def texts() -> set[Text]:
    """What the first column of the table's rows has in backticks, each with its language."""
    found = set()
    for row in filter(lambda line: line.startswith("| "), TABLE.splitlines()):
        language = "Python"
        for tagged, text in re.findall(r"(Python|Go|Node|Envoy|kubelet): |`([^`]+)`", row.split(" | ")[0]):
            language = tagged or language
            if text:
                found.add((language, text))
    return found


def test_every_text_of_the_table_is_provoked_by_a_test() -> None:
    here = {(language, words) for said in SAID.values() for language, words in said.items()}
    others = {text for texts in ELSEWHERE.values() for text in texts} | ON_A_CLUSTER_ONLY | DETAILS
    assert {(language, text) for language, text in texts() if text not in others} == {
        (language, text) for language, text in here if text not in others
    }
    assert others <= {text for _, text in texts()}


@pytest.mark.parametrize(
    ("file", "text"), [(file, text) for file, texts in ELSEWHERE.items() for text in sorted(texts)]
)
def test_what_is_provoked_elsewhere_is_looked_for_there(file: str, text: str) -> None:
    source = Path(ROOT / file).read_text()
    status = re.search(r"status: (\d+)$", text)
    assert text in source or (status and re.search(rf"\b{status[1]}\b", source))
