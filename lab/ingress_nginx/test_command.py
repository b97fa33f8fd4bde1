"""The command: what it refuses, what it leaves behind, and how it ends."""

import signal
from pathlib import Path

import pytest

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from lab.ingress_nginx.conftest import Edge
from testing.processes import greeter, process, wait_until

PROGRAM = "lab.ingress_nginx"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--http=8080"], "--http: '8080' is no address; write HOST:PORT"),
        (["--publish-service=edge"], "--publish-service: 'edge' names no object; write NAMESPACE/NAME"),
        (["--v=9"], "--v: invalid choice: 9 (choose from 2, 3, 5)"),
    ],
)
def test_a_wrong_flag_is_refused_with_a_remedy(args: list[str], message: str) -> None:
    with process(PROGRAM, *args) as running:
        assert running.end() == 2
    assert message in running.lines[-1].replace("'2', '3', '5'", "2, 3, 5")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "no cluster: "),
        ("contexts: [", "no cluster: "),
        ("{}", "no cluster: "),
    ],
)
def test_without_a_cluster_it_says_so_and_ends(tmp_path: Path, config: str | None, message: str) -> None:
    file = tmp_path / "config"
    if config is not None:
        file.write_text(config)
    with process(PROGRAM, env={"KUBECONFIG": str(file)}) as running:
        assert running.end() == 1
    assert running.lines[-1].startswith(f"nginx-ingress-controller: {message}")
    assert running.lines[-1].endswith("; set KUBECONFIG to a kubeconfig file")
    assert not [line for line in running.lines if "Traceback" in line]


def test_a_port_in_use_is_said_and_ends_it(lab_config: str, address: str) -> None:
    """That of the controller that all tests share."""
    listen = (f"--http={address}:8080", f"--https={address}:8444", f"--healthz={address}:8255")
    with process(PROGRAM, *listen, env={"KUBECONFIG": lab_config}) as running:
        assert running.end() == 1
    assert "nginx did not start" in running.lines[-1]
    assert not [line for line in running.lines if "Traceback" in line]


def test_told_to_end_it_lets_the_call_under_way_end_and_nothing_is_left(edge: Edge, lab_config: str) -> None:
    grace = "--shutdown-grace-period=1"
    with greeter("--faults") as (server, backend), edge.own_controller(lab_config, grace) as running:
        edge.service(backend)
        edge.ingress()
        with edge.channel() as channel:
            call = GreeterStub(channel).SayHello.future(HelloRequest(name="x"), metadata=(("fault", "delay=3s"),))
            server.line("Fault asked for")
            running.signal(signal.SIGTERM)
            running.line("told to end: serving on for 1 s")
            assert edge.answer() == "127.0.0.1"  # to whoever comes within the grace
            assert call.result(timeout=20).message == "Hello x"
            assert running.end() == 0
        with pytest.raises(OSError, match="refused"):
            edge.certificate(edge.host)


def test_killed_it_leaves_no_nginx_behind(edge: Edge, lab_config: str) -> None:
    with edge.own_controller(lab_config) as running:
        edge.certificate(edge.host)
        running.kill()

        def refused() -> bool:
            try:
                edge.certificate(edge.host)
            except OSError:
                return True
            return False

        wait_until("its end", refused)
