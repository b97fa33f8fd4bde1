"""What is wrong is said in one line with its remedy, exit code 2, no traceback."""

import signal
from pathlib import Path

import grpc
import pytest
import trustme

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import greeter, process


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--max-connection-age=5"], "--max-connection-age: '5' is not a duration; write 30s"),
        (["--max-connection-age=-5s"], "--max-connection-age: '-5s' is not a duration"),
        (["--max-connection-age=0s"], "'0s' is too short; give 1ms or more, or leave it out for gRPC's default"),
        (["--max-connection-age=720h"], "--max-connection-age: '720h' is too long; write 596h at most"),
        (["--max-connection-age-grace=soon"], "--max-connection-age-grace: 'soon' is not a duration"),
        (["--permit-keepalive-time=0s"], "--permit-keepalive-time: '0s' is too short"),
        (["--grace=9999999999s"], "--grace: '9999999999s' is too long; write 596h at most"),
        (["--drain=soon"], "--drain: 'soon' is not a duration"),
        (["--address=8000"], "--address: '8000' is no address; give HOST:PORT"),
        (["--address=127.0.0.1:80000"], "--address: '127.0.0.1:80000' is no address; give HOST:PORT"),
        (["--tls-cert=/nowhere/tls.crt"], "--tls-cert and --tls-key go together"),
        (
            ["--tls-cert=/nowhere/tls.crt", "--tls-key=/nowhere/tls.key"],
            "/nowhere/tls.crt, /nowhere/tls.key: No such file or directory; is the Secret mounted there?",
        ),
        (["--tls-cert=/", "--tls-key=/"], "TLS file /, /: Is a directory; is the Secret mounted there?"),
        ([f"--tls-cert={__file__}", f"--tls-key={__file__}"], "give a PEM chain and its key"),
        (["--health-address=8081"], "--health-address: '8081' is no address; give HOST:PORT"),
        (["--adress=127.0.0.1:0"], "unrecognized arguments: --adress"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(args: list[str], message: str) -> None:
    with process("greeter_server", "--address=127.0.0.1:0", *args) as server:
        assert server.end() == 2
    assert message in server.lines[-1]
    assert not [line for line in server.lines if "Traceback" in line]


def test_the_longest_of_every_time_is_borne() -> None:
    times = ("drain", "grace", "max-connection-age", "max-connection-age-grace", "permit-keepalive-time")
    with greeter(*(f"--{time}=596h" for time in times)) as (server, address):
        with grpc.insecure_channel(address) as channel:
            assert GreeterStub(channel).SayHello(HelloRequest(name="you")).message == "Hello you"
        server.signal(signal.SIGTERM)
        server.line("Told to stop: .* for another 2145600s")
    assert not [line for line in server.lines if "Traceback" in line]


def test_a_port_in_use_is_named() -> None:
    with greeter() as (_, address), process("greeter_server", f"--address={address}") as second:
        assert second.end() == 2
    assert f"cannot listen on {address}; is the port in use" in second.lines[-1]


def test_a_health_port_in_use_is_named() -> None:
    args = ("--address=127.0.0.1:0", "--health-address={}")
    with greeter() as (_, address), process("greeter_server", args[0], args[1].format(address)) as second:
        assert second.end() == 2
    assert f"cannot listen on {address}; is the port in use" in second.lines[-1]
    assert second.lines[-1].endswith("Choose another with --health-address")


def test_tls_is_served_from_mounted_files_to_those_who_trust_their_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    certificate.private_key_pem.write_to_path(tmp_path / "tls.key")
    files = (f"--tls-cert={tmp_path / 'tls.crt'}", f"--tls-key={tmp_path / 'tls.key'}")
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with greeter(*files) as (_, address):
        with grpc.secure_channel(address, credentials) as channel:
            assert GreeterStub(channel).SayHello(HelloRequest(name="you")).message == "Hello you"
        with grpc.insecure_channel(address) as plain, pytest.raises(grpc.RpcError):
            GreeterStub(plain).SayHello(HelloRequest(name="you"), timeout=5)
