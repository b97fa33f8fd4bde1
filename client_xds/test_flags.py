"""The control plane as a program: its flags, and what it does where no cluster can be reached."""

import signal
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from testing.processes import process

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"
KUBECONFIG = """{apiVersion: v1, kind: Config, current-context: a, users: [{name: a, user: {}}],
contexts: [{name: a, context: {cluster: a, user: a}}],
clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> dict[str, str]:
    """Of a cluster that is away."""
    (tmp_path / "config").write_text(KUBECONFIG)
    return {"KUBECONFIG": str(tmp_path / "config")}


def test_it_starts_without_the_api_is_not_ready_says_why_and_ends_on_sigterm(kubeconfig: dict[str, str]) -> None:
    with process("client_xds.control_plane", "--address=127.0.0.1:0", env=kubeconfig) as running:
        address = running.line(r"Listening on (\S+), serving all Services of namespace default")[1]
        for kind in ("EndpointSlices", "ConfigMap greeter-xds"):
            running.line(rf"{kind} can't be watched: http://127.0.0.1:1 can't be reached: .*; is KUBECONFIG right\?")
        with grpc.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for service, status in (("", "SERVING"), (ADS, "NOT_SERVING")):
                answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == status
        running.signal(signal.SIGTERM)
        assert running.end() == 0
        assert not [line for line in running.lines if "Traceback" in line]


def test_what_it_serves_is_named_where_it_is_not_all(kubeconfig: dict[str, str]) -> None:
    flags = ("--address=127.0.0.1:0", "--service=blue", "--service=green", "--namespace=shop", "--config-map=policies")
    with process("client_xds.control_plane", *flags, env=kubeconfig) as running:
        running.line("serving blue, green of namespace shop")
        running.line("ConfigMap policies can't be watched")


def test_metrics_have_a_port_of_their_own(kubeconfig: dict[str, str]) -> None:
    flags = ("--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0")
    with process("client_xds.control_plane", *flags, env=kubeconfig) as running:
        url = running.line(r"Metrics on (http://\S+)")[1]
        page = subprocess.run(["curl", "-fsS", url], capture_output=True, text=True, check=True).stdout
    assert "xds_streams 0.0" in page


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--address=18000"], "'18000' is no address; give HOST:PORT, 0.0.0.0:8000 say"),
        (["--address=192.0.2.1:18000"], "cannot listen on 192.0.2.1:18000; is the port in use, or the host another"),
        (["--metrics-address=192.0.2.1:9090"], "cannot serve metrics on 192.0.2.1:9090: "),
        (["--service=Greeter_Server"], "'Greeter_Server' is no name of a Kubernetes object; greeter-server is one"),
        (["--config-map=a,b"], "'a,b' is no name of a Kubernetes object; greeter-server is one"),
        (["--namespace=-"], "'-' is no name of a Kubernetes object; greeter-server is one"),
        (["--grace=soon"], "'soon' is not a duration; write 30s, 1m30s or 500ms"),
        (["--grace=0"], "'0' is too short; write 1s say"),
        (["--adress=1"], "unrecognized arguments: --adress=1"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(kubeconfig: dict[str, str], flags: list[str], message: str) -> None:
    with process("client_xds.control_plane", "--address=127.0.0.1:0", *flags, env=kubeconfig) as running:
        assert running.end() == 2
    assert message in running.lines[-1]
    assert not [line for line in running.lines if "Traceback" in line]


def test_two_do_not_share_a_port(kubeconfig: dict[str, str]) -> None:
    with process("client_xds.control_plane", "--address=127.0.0.1:0", env=kubeconfig) as one:
        address = one.line(r"Listening on (\S+),")[1]
        with process("client_xds.control_plane", f"--address={address}", env=kubeconfig) as another:
            assert another.end() == 2
        assert f"cannot listen on {address}; is the port in use" in another.lines[-1]


def test_without_a_kubeconfig_it_says_so(tmp_path: Path) -> None:
    env = {"KUBECONFIG": str(tmp_path / "none")}
    with process("client_xds.control_plane", "--address=127.0.0.1:0", env=env) as running:
        assert running.end() == 2
    assert running.lines[-1].startswith("client_xds.control_plane: no cluster: ")
    assert running.lines[-1].endswith("; set KUBECONFIG to a kubeconfig file")
