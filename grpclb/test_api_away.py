"""The Kubernetes API is away for a while: the last list is served on, and what has changed meanwhile arrives after.

On the cluster that KUBECONFIG names its API server is stopped and continued (SIGSTOP, SIGCONT) by the commands that
PAUSE_COMMAND and RESUME_COMMAND are, alone, for all others notice it. Without KUBECONFIG it is a lab of the test's own.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from catalogue import ROOT
from grpclb.load_balancer_pb2 import InitialLoadBalanceRequest, LoadBalanceRequest
from grpclb.load_balancer_pb2_grpc import LoadBalancerStub
from testing.cluster import own_namespace
from testing.processes import process

PATIENCE = 4.0  # seconds that kubectl waits for an API that is stopped: ten, then it gives up


@dataclass
class Api:
    """How it is stopped and continued, and for how many seconds."""

    pause: Callable[[], object]
    resume: Callable[[], object]
    seconds: float

    @contextmanager
    def away(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    if os.environ.get("KUBECONFIG"):
        commands = [os.environ.get(name, "") for name in ("PAUSE_COMMAND", "RESUME_COMMAND")]
        if not all(commands) or "PYTEST_XDIST_WORKER" in os.environ:
            pytest.skip("it stops the API server of all: run tox -e k8s-alone, with PAUSE_COMMAND and RESUME_COMMAND")

        def run(command: str) -> Callable[[], object]:
            return lambda: subprocess.run(command, shell=True, check=True)  # noqa: S602  the user's own

        yield Api(run(commands[0]), run(commands[1]), seconds=30)
        return
    with process("lab", "up") as lab:
        monkeypatch.setenv("KUBECONFIG", lab.line(r"^export KUBECONFIG=(.+)$")[1])
        yield Api(lambda: lab.signal(signal.SIGSTOP), lambda: lab.signal(signal.SIGCONT), seconds=8)


def listed(address: str) -> set[str]:
    """The servers that a balancer tells somebody who asks now."""
    request = LoadBalanceRequest(initial_request=InitialLoadBalanceRequest(name="greeter-server"))
    with grpc.insecure_channel(address) as channel:
        responses = LoadBalancerStub(channel).BalanceLoad(iter([request]), timeout=10)
        next(responses)
        servers = next(responses).server_list.servers
        responses.cancel()
    return {server.load_balance_token.rpartition(":")[0] for server in servers}


def test_the_list_is_served_on_and_the_change_made_meanwhile_arrives_after(api: Api) -> None:
    with own_namespace() as namespace:
        namespace.apply(ROOT / "grpclb" / "manifests")
        old = namespace.wait_ready(3)
        balancers = namespace.pods("balancer")
        measurement = namespace.measure("--duration=1h", "--rate=50")
        with api.away():
            stopped = time.time()
            scale = ["kubectl", "--namespace", namespace.name, "scale", "deployment/greeter-server", "--replicas=4"]
            time.sleep(api.seconds - PATIENCE)
            with subprocess.Popen(scale, stdout=subprocess.DEVNULL) as asked:  # it waits for its answer
                time.sleep(PATIENCE)
                assert asked.poll() is None
                assert all(listed(f"{pod['status']['podIP']}:9000") == old for pod in balancers)
                api.resume()
                back = time.time()
                assert asked.wait(timeout=60) == 0
        [new] = namespace.wait_ready(4) - old
        time.sleep(3)  # of calls that the new pod gets its share of
        result = measurement.stop()
    assert result["failed_attempts"] == 0, result["failure_details"]
    first = result["backends"][new]["first_seen"]
    print(f"the API was away for {back - stopped:.0f} s; the new pod's first call came {first - back:.1f} s after that")
    assert first > back
