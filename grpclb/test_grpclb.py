"""What a channel makes of its balancer: turns, and changes at once. What it makes of none: test_what_people_meet.py."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from grpclb.client import open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, fault, outcomes
from testing.grpclb import Balancer, balancer
from testing.processes import Process, wait_until
from testing.services import Service, service


@dataclass
class Balanced:
    """Servers behind a name in DNS, and the balancer that DNS has of that name."""

    service: Service
    balancer: Balancer

    @property
    def servers(self) -> list[str]:
        return [f"{host}:{self.service.port}" for host in self.service.servers]

    @property
    def target(self) -> str:
        """What a client dials, by a name that the balancer knows."""
        return f"dns://{self.service.names.server}/greeter-server.shop.svc.cluster.local:{self.service.port}"

    def name(self, running: Balancer) -> None:
        """Have DNS say that this is the balancer."""
        host, _, port = running.address.rpartition(":")
        self.service.names.balancers = [(host, int(port))]


@contextmanager
def balanced(count: int, known: int | None = None) -> Iterator[Balanced]:
    """So many servers, of which the balancer knows the first few (all by default)."""
    with service(count, "--faults") as running, balancer(address="127.3.2.1:0") as told:
        both = Balanced(running, told)
        both.name(told)
        told.publish(*both.servers[:known])
        yield both


def test_calls_take_turns_to_the_call_among_those_that_the_balancer_names() -> None:
    with balanced(4, known=3) as running, open_channel(running.target) as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
        assert counts.keys() == set(list(running.service.servers)[:3])
        assert all(abs(count - 100) <= 1 for count in counts.values()), counts


def test_pick_first_stays_with_one_server_whatever_the_balancer_says() -> None:
    options = [("grpc.dns_enable_srv_queries", 1)]
    with balanced(3) as running, grpc.insecure_channel(running.target, options) as channel:
        assert len(outcomes(channel, 60)) == 1


def test_a_new_server_gets_calls_and_a_removed_one_gets_no_more_at_once() -> None:
    """Counted, not timed: how many calls are made in between. (How long it takes is a benchmark's to say.)"""
    with balanced(3, known=2) as running, open_channel(running.target) as channel:
        connect(channel, 2)
        old, _, new = running.service.servers
        running.balancer.publish(*running.servers)
        connect(channel, 3)
        running.balancer.publish(*running.servers[1:])
        wait_until("calls to stay away", lambda: old not in outcomes(channel, 10))
        counts = outcomes(channel, 100)
    assert old not in counts
    assert counts[new] == 50


def test_calls_go_on_to_the_last_list_when_the_balancer_is_gone_and_a_new_one_is_found() -> None:
    with balanced(3, known=2) as running, open_channel(running.target) as channel:
        connect(channel, 2)
        running.service.names.balancers = []
        running.balancer.end()
        counts = outcomes(channel, 200)
        assert counts.keys() == set(list(running.service.servers)[:2]), counts
        with balancer(*running.servers, address="127.3.2.2:0") as another:
            running.name(another)
            connect(channel, 3)


def test_the_server_is_told_the_token_of_its_address() -> None:
    """As metadata lb-token, which load-aware servers may use."""
    tokens: list[str] = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
            tokens.extend(str(v) for k, v in handler_call_details.invocation_metadata if k == "lb-token")

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with service(1) as named, balancer(f"127.0.0.1:{port}", address="127.3.2.1:0") as told:
            both = Balanced(named, told)
            both.name(told)
            with open_channel(both.target) as channel:
                wait_until("a token", lambda: outcomes(channel, 1) and tokens)
    finally:
        server.stop(None).wait()
    assert set(tokens) == {f"127.0.0.1:{port}"}


def test_clients_report_their_calls_to_the_balancer() -> None:
    with (
        service(2) as named,
        balancer(address="127.3.2.1:0", interval=0.2) as told,
    ):
        both = Balanced(named, told)
        both.name(told)
        told.publish(*both.servers)
        with open_channel(both.target) as channel:
            connect(channel, 2)
            outcomes(channel, 50)
            wait_until("reports", lambda: sum(client.calls for client in told.servicer.clients.now) >= 50)


def test_no_call_fails_when_a_balancer_ends_and_the_client_goes_to_another() -> None:
    with balanced(3) as running, open_channel(running.target) as channel, balancer(address="127.3.2.2:0") as another:
        another.publish(*running.servers[:2])
        connect(channel, 3)
        running.name(another)
        ending = threading.Thread(target=running.balancer.end)
        ending.start()
        counts = outcomes(channel, 500)
        ending.join()
        wait_until("the other's list", lambda: another.streams == 1)
    assert counts.keys() == running.service.servers.keys()


def test_every_third_call_fails_while_a_server_answers_errors() -> None:
    """The balancer goes by readiness, not by answers."""
    with balanced(3) as running, open_channel(running.target) as channel:
        connect(channel, 3)
        fault(running.servers[0], fault="error=INTERNAL", fault_for="60s")
        assert outcomes(channel, 90)["INTERNAL"] == 30


def test_a_call_that_dies_with_its_server_fails_and_is_run_once() -> None:
    with balanced(3) as running, open_channel(running.target) as channel:
        connect(channel, 3)
        servers = running.service.servers.values()

        def begun() -> list[Process]:
            return [server for server in servers if server.said("Fault asked for")]

        metadata = (("fault", "delay=1s"),)
        call = GreeterStub(channel).SayHello.future(HelloRequest(name="you"), metadata=metadata, timeout=20)
        wait_until("a handler that has begun", begun)
        begun()[0].kill()
        call.exception()  # waits
        assert (call.code().name, len(begun())) == ("UNAVAILABLE", 1)
