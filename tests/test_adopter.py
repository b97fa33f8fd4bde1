"""What the pages tell an adopter to take balances a service of his own, and a rolling restart loses no call.

The code and the YAML of each section "Take it into your service", and of greeter_server's page, go word for word into a
fresh directory beside the adopter's own half (tests/adopter), and run on a lab. What must come out is the strategy's
expectations.toml.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import grpc
import pytest
import trustme
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from catalogue import ROOT, demos
from lab.testing.kubectl import MISSING
from testing.dns import dns
from testing.processes import loopback_network, running_lab

pytestmark = pytest.mark.slow
TITLE = "Take it into your service"
NAMESPACE, HOST = "my-namespace", "grpc.example.com"  # on the pages
STRATEGIES = {demo.name.partition("/")[0]: demo for demo in demos()}  # one variant of each
FILE = re.compile(r"^<!-- file: ([^>\n]+) -->\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(strategy: str) -> str:
    """What a strategy's page says under the title."""
    _, found, text = (ROOT / strategy / "README.md").read_text().partition(f"\n## {TITLE}\n")
    assert found, f"{strategy}/README.md has no section '{TITLE}'"
    return text.partition("\n## ")[0]


def run(directory: Path, *command: str, **env: str) -> str:
    done = subprocess.run(command, cwd=directory, env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def take(strategy: str, directory: Path, pods: int) -> None:
    """Fill the directory: an adopter's own half, and what the pages say. `kubectl apply -k` sends it."""
    shutil.copytree(ROOT / "tests" / "adopter", directory, dirs_exist_ok=True)
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=."]
    run(directory, *protoc, "items.proto")
    server = dict(FILE.findall((ROOT / "greeter_server" / "README.md").read_text()))
    ours = dict(FILE.findall(section(strategy)))
    (directory / "server.py").write_text(with_options(server["server.py"], ours.pop("server.py, below OPTIONS", "")))
    (directory / "channel.py").write_text(ours.pop("channel.py"))
    own = (directory / "deployments.yaml").read_text().replace("HERE", str(directory)).replace("PODS", str(pods))
    patches = [server["deployment.yaml"], *(ours.pop(name, "") for name in ("deployment.yaml", "client.yaml"))]
    resources = {"deployments.yaml": own, **ours, **by_commands(strategy, directory)}
    if "envoy.yaml" in resources:
        resources["envoy.yaml"], change = sidecar(resources["envoy.yaml"])
        patches.append(change)
    for name, text in resources.items():
        (directory / name).write_text(text)
    customization = {"resources": list(resources), "patches": [{"patch": patch} for patch in patches if patch]}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(customization))


def with_options(server: str, added: str) -> str:
    """The server's code with a strategy's lines below its options."""
    return re.sub(r"^OPTIONS = .*\n", lambda line: line[0] + added, server, flags=re.MULTILINE)


def by_commands(strategy: str, directory: Path) -> dict[str, str]:
    """The files that the section's commands write."""
    (directory / strategy).symlink_to(ROOT / strategy)  # they name files of ours
    for command in COMMANDS.findall(section(strategy)):
        run(directory, "bash", "-ec", command)
    return {file.name: file.read_text() for file in (directory / "build").glob("*.yaml")}


def sidecar(manifest: str) -> tuple[str, str]:
    """Of client_envoy's manifest what its page says to take: the ConfigMap, and a change of the client's Deployment."""
    _, configuration, deployment = yaml.safe_load_all(manifest)
    spec = deployment["spec"]["template"]["spec"]
    taken = {key: [part for part in spec[key] if part["name"] == "envoy"] for key in ("initContainers", "volumes")}
    deployment |= {"metadata": {"name": "my-client"}, "spec": {"template": {"spec": taken}}}
    return yaml.safe_dump(configuration), yaml.safe_dump(deployment)


class Client:
    """The adopter's client while it calls. What it prints is read from a command's output."""

    def __init__(self, printed: IO[str], stop: Callable[[], object]) -> None:
        self._printed = printed
        self._stop = stop

    def counted(self) -> dict[str, Any]:
        """The next line of JSON. Fails with what was printed where there is none."""
        others = []
        for line in self._printed:
            if line.startswith("{"):
                counted: dict[str, Any] = json.loads(line)
                return counted
            others.append(line)
        raise AssertionError("".join(others))

    def stopped(self) -> dict[str, Any]:
        self._stop()
        return self.counted()


class Adopter:
    """A directory that `take` has filled, on a lab."""

    def __init__(self, directory: Path, kubeconfig: str) -> None:
        self._directory = directory
        self._kubeconfig = kubeconfig

    def kubectl(self, *args: str) -> str:
        return run(self._directory, "kubectl", f"--namespace={NAMESPACE}", *args, KUBECONFIG=self._kubeconfig)

    def pods(self) -> list[str]:
        return self.kubectl("get", "pods", "-l", "app=my-service", "-o", "name").split()

    def rolled_out(self, deployment: str) -> None:
        self.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=120s")

    @contextmanager
    def client(self) -> Iterator[Client]:
        """In a pod; outside the cluster where there is an Ingress."""
        outside = (self._directory / "ingress.yaml").exists()
        with self._outside() if outside else self._in_a_pod() as client:
            yield client

    @contextmanager
    def _in_a_pod(self) -> Iterator[Client]:
        self.kubectl("scale", "deployment/my-client", "--replicas=1")
        self.rolled_out("my-client")
        command = ["kubectl", f"--namespace={NAMESPACE}", "logs", "-f", "deployment/my-client", "-c", "client"]
        with self._output(command, KUBECONFIG=self._kubeconfig) as log:
            assert log.stdout
            yield Client(log.stdout, lambda: self.kubectl("scale", "deployment/my-client", "--replicas=0"))

    @contextmanager
    def _outside(self) -> Iterator[Client]:
        address = "{.status.loadBalancer.ingress[0].ip}"
        self.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "ingress/my-service", "--timeout=60s")
        edge = self.kubectl("get", "ingress", "my-service", "-o", f"jsonpath={address}")
        with dns([edge]) as names:
            env = {
                "TARGET": f"dns://{names.server}/{HOST}:10443",  # the lab's port 443
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self._directory / "ca.crt"),
            }
            with self._output([sys.executable, "client.py", "3"], **env) as running:
                assert running.stdout
                yield Client(running.stdout, running.terminate)

    @contextmanager
    def _output(self, command: list[str], **env: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            command,
            cwd=self._directory,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def certify(self) -> None:
        """The Secret of the edge's certificate, and whom the client is to trust."""
        authority = trustme.CA()
        certificate = authority.issue_cert(HOST)
        authority.cert_pem.write_to_path(self._directory / "ca.crt")
        certificate.cert_chain_pems[0].write_to_path(self._directory / "tls.crt")
        certificate.private_key_pem.write_to_path(self._directory / "tls.key")
        self.kubectl("create", "secret", "tls", HOST, "--cert=tls.crt", "--key=tls.key")

    def restart(self) -> None:
        """All servers, until the last old one is gone."""
        old = self.pods()
        self.kubectl("rollout", "restart", "deployment/my-service")
        self.rolled_out("my-service")
        self.kubectl("wait", "--for=delete", *old, "--timeout=180s")


@contextmanager
def adopter(strategy: str, directory: Path, pods: int) -> Iterator[Adopter]:
    """His servers, running on a lab of their own."""
    take(strategy, directory, pods)
    with running_lab() as lab:
        his = Adopter(directory, lab)
        his.kubectl("create", "namespace", NAMESPACE)
        his.certify()
        his.kubectl("apply", "-k", ".")
        his.rolled_out("my-service")
        yield his


@pytest.mark.skipif(MISSING, reason="kubectl is not on PATH")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_the_page_says_gives_an_adopters_service_the_strategys_balance(strategy: str, tmp_path: Path) -> None:
    expectations = STRATEGIES[strategy].expectations
    spread, restart = expectations["spread"], expectations["drills"]["rolling_restart"]
    backends = spread["backends"]
    with adopter(strategy, tmp_path, backends) as his, his.client() as client:
        first = client.counted()
        assert not first["failures"]
        assert len(first["calls"]) == backends, first
        for count in first["calls"].values():
            assert abs(count - spread["calls"] / backends) <= spread["tolerance"], first
        if "failed_attempts" not in restart:
            return
        his.restart()
        then = client.stopped()
    assert not then["failures"], then
    assert len(then["calls"]) == 2 * spread["replicas"], then


def test_the_servers_code_says_not_serving_and_answers_on_before_it_ends(tmp_path: Path) -> None:
    take("client_roundrobin", tmp_path, pods=3)
    address = f"{loopback_network()}.1:8000"
    command, env = [sys.executable, "server.py", address], {**os.environ, "POD_IP": "1.2.3.4"}
    with subprocess.Popen(command, cwd=tmp_path, env=env) as server, grpc.insecure_channel(address) as channel:
        try:
            health = health_pb2_grpc.HealthStub(channel)
            requests = [health_pb2.HealthCheckRequest(service=service) for service in ("", "my.Catalogue")]
            watches = [health.Watch(request, timeout=20, wait_for_ready=True) for request in requests]
            assert [next(watch).status for watch in watches] == [health_pb2.HealthCheckResponse.SERVING] * 2
            server.terminate()
            assert [next(watch).status for watch in watches] == [health_pb2.HealthCheckResponse.NOT_SERVING] * 2
            list_items: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/my.Catalogue/ListItems")
            assert b"anvil" in list_items(b"", timeout=5)
            for watch in watches:
                watch.cancel()
            assert server.wait(timeout=10) == 0
        finally:
            server.kill()
