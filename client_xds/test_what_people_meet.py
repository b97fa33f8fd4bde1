"""What the tutorial's table of that name says, provoked: each text, in a client as people run it."""

import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from testing.client_xds import bootstrap, control_plane
from testing.processes import Process, greeter, process, wait_until

PAGE = (Path(__file__).parent / "README.md").read_text()
NOBODY = "127.0.0.1:1"
ROUTES = """
"@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
name: greeter-server
virtual_hosts: [{name: all, domains: ["%s"], routes: [{match: {prefix: "%s"}, route: {cluster: %s}}]}]
"""
MAGLEV = """
"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: greeter-server
type: EDS
eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
lb_policy: MAGLEV
"""


def answer(config: str, target: str = "xds:///greeter-server", deadline: str = "5s") -> str:
    """What a client that has this bootstrap says of its first call, which fails."""
    flags = (f"--target={target}", f"--deadline={deadline}")
    with process("client_xds.client", *flags, env={"GRPC_XDS_BOOTSTRAP_CONFIG": config} if config else {}) as client:
        return client.line("No answer: (.*)", within=40)[1]


def explained(words: Sequence[str], said: str) -> None:
    """The words are said, and the page has them: … stands for what is each case's own."""
    for text in words:
        assert text in said, said
        assert text in PAGE


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("", "Environment variables GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG not defined"),
        ("{", "Failed to parse bootstrap JSON string"),
        ("{}", "errors validating JSON"),
        (json.dumps({"xds_servers": [{"server_uri": NOBODY}]}), "errors validating JSON"),
    ],
)
def test_a_bootstrap_that_is_none(config: str, words: str) -> None:
    explained([words], answer(config))


def test_a_control_plane_whose_name_does_not_resolve() -> None:
    said = answer(bootstrap("nobody.invalid:18000"))
    explained(["xDS channel for server", "address lookup failed for", "Domain name not found"], said)


def test_a_control_plane_that_is_not_there() -> None:
    explained(["xDS channel for server", "Connection refused"], answer(bootstrap(NOBODY)))


def test_a_bootstrap_without_a_node_id() -> None:
    with control_plane(NOBODY) as told:
        config = json.dumps(json.loads(bootstrap(told.address)) | {"node": {}})
        words = "xDS call failed with no responses received; status: INVALID_ARGUMENT: the first request has no node id"
        explained([words], answer(config))


def test_credentials_that_the_control_plane_has_not() -> None:
    with control_plane(NOBODY) as told:
        said = answer(bootstrap(told.address).replace("insecure", "tls"))
    explained(["xDS channel for server", "SSL_ERROR_SSL", "WRONG_VERSION_NUMBER"], said)


def test_a_target_that_is_no_listeners_name_is_waited_for_15_s() -> None:
    with control_plane(NOBODY) as told:
        said = answer(bootstrap(told.address), "xds:///greeter", deadline="18s")
        assert answer(bootstrap(told.address), "xds:///greeter", deadline="1s").startswith("DEADLINE_EXCEEDED")
    assert said.startswith("UNAVAILABLE")
    explained(["LDS resource", ": does not exist"], said)


def test_a_control_plane_that_has_not_heard_of_everything() -> None:
    with control_plane() as told:
        explained(["LDS resource", ": does not exist"], answer(bootstrap(told.address), deadline="18s"))


def test_routes_to_a_cluster_that_nobody_has() -> None:
    with control_plane(NOBODY) as told:
        told.configure(ROUTES % ("*", "", "nobody"))
        explained(["CDS resource", ": does not exist"], answer(bootstrap(told.address), deadline="18s"))


def test_a_service_without_endpoints() -> None:
    with control_plane(NOBODY) as told:
        told.publish()
        explained(["EDS resource", ": contains no localities"], answer(bootstrap(told.address)))


@pytest.mark.parametrize(
    ("domain", "prefix", "words"),
    [
        ("other", "", "could not find VirtualHost for"),
        ("*", "/other", "No matching route found in xDS route config"),
    ],
)
def test_routes_that_have_nothing_for_a_call(domain: str, prefix: str, words: str) -> None:
    with control_plane(NOBODY) as told:
        told.configure(ROUTES % (domain, prefix, "greeter-server"))
        explained([words], answer(bootstrap(told.address)))


def test_a_resource_that_the_client_can_not_use_and_none_before() -> None:
    with control_plane(NOBODY) as told:
        told.configure(MAGLEV)
        explained(["invalid resource: errors validating", "resource: [field:"], answer(bootstrap(told.address)))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("xds://greeter-server", "the target uri is not valid: xds://"),
        ("xds://control-plane/greeter-server", "Invalid target URI -- authority not found"),
    ],
)
def test_a_target_with_two_slashes(target: str, words: str) -> None:
    with control_plane(NOBODY) as told:
        explained([words], answer(bootstrap(told.address), target))


def test_a_node_that_accepts_and_says_nothing_is_given_up_after_20_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = answer(bootstrap("{}:{}".format(*silent.getsockname())), deadline="23s")
    explained(["xDS channel for server"], said)
    assert "timed out" in said


def test_a_control_plane_that_hangs_is_noticed_by_new_clients_and_by_no_other() -> None:
    def greetings(client: Process) -> int:
        client.said("")
        return sum("Greeting" in line for line in client.lines)

    with greeter() as (_, address), control_plane(address) as told:
        config = {"GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap(told.address)}
        flags = ("--target=xds:///greeter-server", "--interval=50ms")
        with process("client_xds.client", *flags, env=config) as client:
            client.line("Greeting")
            with told.hanging():
                assert answer(bootstrap(told.address), deadline="2s").startswith("DEADLINE_EXCEEDED")
                before = greetings(client)
                wait_until("twenty more", lambda: greetings(client) >= before + 20)
            assert not client.said("No answer")


def test_an_xds_server_without_the_template_in_its_bootstrap_answers_in_plaintext(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of gRPC's own; ours, server.py, refuses to start (test_server.py)."""
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", bootstrap(NOBODY))
    monkeypatch.delenv("GRPC_XDS_BOOTSTRAP", raising=False)
    server = grpc.server(ThreadPoolExecutor(1), xds=True)
    port = server.add_secure_port("127.0.0.1:0", grpc.xds_server_credentials(grpc.insecure_server_credentials()))
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a/B")
            with pytest.raises(grpc.RpcError) as caught:
                ask(b"", timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # it is answered: nobody is asked for TLS
    finally:
        server.stop(None).wait()
    explained(["server_listener_resource_name_template not provided in bootstrap file"], capfd.readouterr().err)
