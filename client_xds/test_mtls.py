"""mTLS between a client and servers, as the control plane says: the resources are those of manifests/mtls."""

import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme
import yaml

from client_xds.certificates import CLIENT, issued
from client_xds.greeter_servicer import fingerprint
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing import tls
from testing.mtls import NOBODY, Mesh, mesh, result
from testing.processes import Process, wait_until

YOU = HelloRequest(name="you")
ONCE = ("--count=1", "--warmup=1ms")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Mesh]:
    with mesh(tmp_path) as three:
        yield three


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Mesh]:
    with mesh(tmp_path, 1) as one:
        yield one


def written(process: Process) -> list[str]:
    """All its lines by now."""
    process.said("")
    return process.lines


def said_by(running: Mesh, text: str) -> bool:
    """Whether each server has said so."""
    return all(server.said(text) for server in running.servers.values())


def shown(address: str) -> bytes:
    """The certificate, in PEM, that a server shows to everybody."""
    return ssl.DER_cert_to_PEM_cert(tls.served(address, "greeter-server")).encode()


def refusal(running: Mesh, env: dict[str, str]) -> str:
    """Why the call of a client with this environment fails."""
    measured = running.measure(env, *ONCE)
    [(code, _)] = measured["failures"].items()
    [(details, _)] = measured["failure_details"].items()
    return f"{code}: {details}"


def code(channel: grpc.Channel) -> str:
    with channel:
        try:
            GreeterStub(channel).SayHello(YOU, timeout=5)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def test_calls_take_turns_to_the_call_and_each_server_knows_by_which_certificate_it_is_called(running: Mesh) -> None:
    certificate = running.issued("client")
    measured = running.measure(running.workload("client", files=certificate), "--count=300", "--backends=3")
    assert measured["failed_attempts"] == 0
    counts = [seen["calls"] for seen in measured["backends"].values()]
    assert len(counts) == 3
    assert all(abs(count - 100) <= 1 for count in counts), measured["backends"]
    known = f"calls of {CLIENT} (certificate {fingerprint(certificate['tls.crt'])})"
    wait_until("the servers say so", lambda: said_by(running, known))
    assert not any(server.said("somebody without a certificate") for server in running.servers.values())


def test_a_direct_channel_to_compare_with_speaks_mtls_where_it_is_told_so(alone: Mesh) -> None:
    env = alone.workload("client")
    flags = ("--count=20", f"--direct={','.join(alone.servers)}")
    directory = Path(env["GRPC_XDS_BOOTSTRAP"]).parent
    assert alone.measure(env, *flags, f"--direct-tls={directory}")["direct"]["ratio"]
    assert alone.measure(env, *flags)["direct"]["ratio"] is None
    with alone.client(env, *flags, "--direct-tls=/nowhere") as client:
        assert client.end() == 2
    assert "--direct-tls: /nowhere: No such file or directory; name the directory of ca.crt" in client.lines[-1]


def test_without_the_certificate_of_a_client_no_call_gets_in_and_the_server_says_why(alone: Mesh) -> None:
    [(address, server)] = alone.servers.items()
    assert code(alone.direct(address, alone.issued("client"))) == "OK"
    wait_until("the call is counted", lambda: server.said(f"Received 1 calls of {CLIENT}"))
    assert code(alone.direct(address, None)) == "UNAVAILABLE"
    wait_until("it says so", lambda: server.said("PEER_DID_NOT_RETURN_A_CERTIFICATE"))
    assert code(grpc.insecure_channel(address)) == "UNAVAILABLE"
    wait_until("it says so", lambda: server.said("WRONG_VERSION_NUMBER"))
    assert sum("calls of" in line for line in written(server)) == 1


def test_a_server_whose_files_are_not_there_says_which_and_serves_once_they_are(tmp_path: Path) -> None:
    with mesh(tmp_path, 0) as running:
        files = running.issued("server")
        lacking = {name: pem for name, pem in files.items() if name != "tls.crt"}
        with running.server(1, env=running.workload("server", "lacking", lacking)) as (address, server):
            server.line("Failed to get the file's modification time of .*/tls.crt")
            server.line("Listening on")
            assert code(running.direct(address, running.issued("client"))) == "UNAVAILABLE"
            running.renew("lacking", files)
            wait_until("it serves", lambda: code(running.direct(address, running.issued("client"))) == "OK")


def test_a_client_speaks_plaintext_where_its_cluster_says_nothing_of_tls_and_is_refused(alone: Mesh) -> None:
    env = alone.workload("client")
    alone.plane.configure(alone.resources["listener.yaml"])  # the Cluster is the generated one then
    assert "Socket closed" in refusal(alone, env)
    [server] = alone.servers.values()
    wait_until("it says so", lambda: server.said("WRONG_VERSION_NUMBER"))
    alone.configure()
    assert not alone.measure(env, *ONCE)["failures"]


def test_both_speak_plaintext_where_neither_is_told_of_tls(alone: Mesh) -> None:
    """The fallback: so nobody is safe by these programs alone, without what the control plane says."""
    listener = yaml.safe_load(alone.resources["listener.yaml"])
    [chain] = listener["filter_chains"]
    del chain["transport_socket"]
    manager = chain["filters"][0]["typed_config"]
    manager["http_filters"] = [each for each in manager["http_filters"] if "rbac" not in each["name"]]
    alone.plane.configure(yaml.safe_dump(listener))
    env = alone.workload("client")
    wait_until("calls in plaintext", lambda: not alone.measure(env, *ONCE)["failures"])
    [server] = alone.servers.values()
    wait_until("it says so", lambda: server.said("calls of somebody without a certificate"))


def test_a_client_without_certificates_refuses_the_cluster_that_asks_for_them(alone: Mesh) -> None:
    env = alone.workload("client")
    bootstrap = Path(env["GRPC_XDS_BOOTSTRAP"])
    bootstrap.write_text(bootstrap.read_text().replace('"certificate_providers"', '"other"'))
    assert "unrecognized certificate provider instance name: greeter" in refusal(alone, env)


def test_a_client_whose_certificate_is_another_authoritys_is_refused_in_the_handshake(alone: Mesh) -> None:
    other = issued(trustme.CA(), CLIENT)
    env = alone.workload("client", files=other | {"ca.crt": alone.ca.cert_pem.bytes()})
    assert refusal(alone, env).startswith("UNAVAILABLE: connections to all backends failing")
    [server] = alone.servers.values()
    wait_until("the server says why", lambda: server.said("CERTIFICATE_VERIFY_FAILED"))


def test_a_client_that_does_not_trust_the_servers_authority_says_so(alone: Mesh) -> None:
    other = alone.issued("client") | {"ca.crt": trustme.CA().cert_pem.bytes()}
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(alone, alone.workload("client", files=other))


def test_somebody_else_of_the_same_authority_is_denied_by_the_server_and_is_logged_by_none(alone: Mesh) -> None:
    """It gets through the handshake: so long as nobody says who may call (RBAC), whoever has a certificate may."""
    env = alone.workload("client", files=issued(alone.ca, "spiffe://greeter/other"))
    assert refusal(alone, env) == "PERMISSION_DENIED: Unauthorized RPC rejected"
    [server] = alone.servers.values()
    assert not server.said("spiffe://greeter/other")
    everybody = alone.resources["listener.yaml"].replace("authenticated: {principal_name: {exact: ", "any: true #")
    alone.configure(listener=everybody)
    wait_until("everybody may", lambda: not alone.measure(env, *ONCE)["failures"])
    wait_until("it is logged", lambda: server.said("calls of spiffe://greeter/other"))


def test_a_server_with_another_name_than_the_control_plane_says_is_not_called(alone: Mesh) -> None:
    env = alone.workload("client")
    assert not alone.measure(env, *ONCE)["failures"]
    impostor = issued(alone.ca, "spiffe://greeter/impostor", host="greeter-server")
    alone.renew("server", impostor)
    [address] = alone.servers
    wait_until("it shows that name", lambda: shown(address) == impostor["tls.crt"])
    said = refusal(alone, env)
    assert said.startswith("UNAVAILABLE: ")
    assert "SANs from certificate did not match SANs from xDS control plane" in said


def test_the_newer_field_for_a_servers_name_is_ignored(alone: Mesh) -> None:
    """match_typed_subject_alt_names, the one that Envoy has not deprecated: so nobody may rely on it here."""
    env = alone.workload("client")
    alone.configure(cluster=alone.cluster_of(NOBODY, newer=True))
    assert not alone.measure(env, *ONCE)["failures"]
    alone.configure(cluster=alone.cluster_of(NOBODY))
    wait_until("the older one is heeded", lambda: "SANs from certificate did not match" in refusal(alone, env))


def test_who_may_call_can_be_changed_under_calls_and_holds_for_connections_that_are_there(alone: Mesh) -> None:
    listener = alone.resources["listener.yaml"]
    with alone.client(alone.workload("client"), "--interval=50ms") as client:
        client.line("Greeting: Hello you")
        alone.configure(listener=listener.replace(CLIENT, NOBODY))
        client.line("No answer: PERMISSION_DENIED: Unauthorized RPC rejected")
        alone.configure(listener=listener)
        wait_until("it may again", lambda: "Greeting" in written(client)[-1])
        assert not client.said("No answer: UNAVAILABLE")


def test_renewed_certificates_come_into_use_without_a_failed_call(tmp_path: Path) -> None:
    with mesh(tmp_path, 3, "--max-connection-age=1s") as running:
        env = running.workload("client")
        with running.client(env, "--duration=1h", "--rate=100", "--backends=3", "--json") as client:
            client.line("Measuring")
            of_client, of_server = running.issued("client"), running.issued("server")
            running.renew("client", of_client)
            running.renew("server", of_server)
            new = f"certificate {fingerprint(of_client['tls.crt'])}"
            wait_until("each server is called by the new one", lambda: said_by(running, new))
            own = of_server["tls.crt"]
            wait_until("each shows its new one", lambda: all(shown(address) == own for address in running.servers))
            client.signal(signal.SIGTERM)
            measured = result(client)
    assert measured["failed_attempts"] == 0
    assert len(measured["backends"]) == 3
    assert measured["calls"] > 100


def test_a_connection_without_an_age_keeps_the_certificate_it_was_made_by(alone: Mesh) -> None:
    first, second = alone.issued("client"), alone.issued("client")
    old, new = (f"certificate {fingerprint(files['tls.crt'])}" for files in (first, second))
    [server] = alone.servers.values()
    env = alone.workload("client", files=first)
    with alone.client(env, "--interval=50ms") as client:
        client.line("Greeting")
        alone.renew("client", second)
        wait_until("others call by the new one", lambda: alone.measure(env, *ONCE) and server.said(new))
        now = len(server.lines)
        wait_until("it goes on", lambda: any(old in line for line in written(server)[now:]))
