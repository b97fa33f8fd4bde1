"""What the balancer answers on the wire: lists, changes, reports, and clients that do it wrong."""

import ipaddress
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import REGISTRY

from grpclb.load_balancer_pb2 import (
    ClientStats,
    ClientStatsPerToken,
    InitialLoadBalanceRequest,
    LoadBalanceRequest,
    LoadBalanceResponse,
)
from grpclb.load_balancer_pb2_grpc import LoadBalancerStub
from testing.grpclb import Balancer, addresses, balancer
from testing.processes import wait_until

NAME = "greeter-server.shop.svc.cluster.local:8000"
THREE = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")


def initial(name: str = NAME) -> LoadBalanceRequest:
    return LoadBalanceRequest(initial_request=InitialLoadBalanceRequest(name=name))


def report(**stats: int) -> LoadBalanceRequest:
    return LoadBalanceRequest(client_stats=ClientStats(**stats))  # type: ignore[arg-type]


class Stream:
    """One BalanceLoad, written and read by hand."""

    def __init__(self, channel: grpc.Channel, *requests: LoadBalanceRequest) -> None:
        self._requests: queue.Queue[LoadBalanceRequest | None] = queue.Queue()
        for request in requests:
            self.send(request)
        self._responses = LoadBalancerStub(channel).BalanceLoad(iter(self._requests.get, None), timeout=30)

    def send(self, request: LoadBalanceRequest | None) -> None:
        self._requests.put(request)

    def read(self) -> LoadBalanceResponse:
        response: LoadBalanceResponse = next(self._responses)
        return response

    def servers(self) -> list[str]:
        """The next list."""
        response = self.read()
        assert response.HasField("server_list"), response
        return [f"{ipaddress.ip_address(s.ip_address)}:{s.port}" for s in response.server_list.servers]

    def end(self) -> None:
        self.send(None)
        self._responses.cancel()


@contextmanager
def stream(channel: grpc.Channel, *requests: LoadBalanceRequest) -> Iterator[Stream]:
    opened = Stream(channel, *requests)
    try:
        yield opened
    finally:
        opened.end()


@contextmanager
def told(running: Balancer, name: str = NAME, options: Mapping[str, int] | None = None) -> Iterator[Stream]:
    """A client that has had its initial response."""
    args = [(f"grpc.http2.{option}", value) for option, value in (options or {}).items()]
    with grpc.insecure_channel(running.address, args) as channel, stream(channel, initial(name)) as opened:
        assert opened.read().HasField("initial_response")
        yield opened


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_client_is_told_how_often_to_report_then_the_list_then_each_change() -> None:
    with (
        balancer(*THREE, interval=2.5) as running,
        grpc.insecure_channel(running.address) as channel,
        stream(channel, initial()) as opened,
    ):
        interval = opened.read().initial_response.client_stats_report_interval
        assert (interval.seconds, interval.nanos) == (2, 500_000_000)
        assert opened.servers() == list(THREE)
        running.publish(*THREE[:2])
        assert opened.servers() == list(THREE[:2])


def test_every_server_has_a_token_that_names_it_and_a_v6_address_has_16_bytes() -> None:
    with balancer("10.0.0.1:8000", "2001:db8::1:8000") as running, told(running) as opened:
        servers = opened.read().server_list.servers
    assert [(len(s.ip_address), s.port, s.load_balance_token) for s in servers] == [
        (4, 8000, "10.0.0.1:8000"),
        (16, 8000, "2001:db8::1:8000"),
    ]


def test_a_balancer_that_has_nothing_says_so_and_its_client_falls_back() -> None:
    with balancer() as running, told(running) as opened:
        assert opened.read().HasField("fallback_response")  # nothing is known yet
        running.publish(*THREE)
        assert opened.servers() == list(THREE)
        running.publish()
        assert opened.read().HasField("fallback_response")  # there is none any more


def test_a_list_that_is_stale_is_served_on_and_one_that_has_not_changed_is_not_sent_again() -> None:
    with balancer(*THREE) as running, told(running) as opened:
        assert opened.servers() == list(THREE)
        running.publish(*THREE, stale=True)
        assert metric("grpclb_stale", service="greeter-server") == 1
        with told(running) as another:
            assert another.servers() == list(THREE)
        running.publish(*THREE)
        assert metric("grpclb_stale", service="greeter-server") == 0
        running.publish(*THREE[:1])
        assert opened.servers() == list(THREE[:1])


@pytest.mark.parametrize(
    "name",
    ["greeter-server", "greeter-server:8000", "greeter-server.shop", "greeter-server.shop.svc:8000", f"{NAME[:-5]}.:1"],
)
def test_short_names_of_the_service_are_known(name: str) -> None:
    with balancer(*THREE) as running, told(running, name) as opened:
        assert opened.servers() == list(THREE)


INVALID = grpc.StatusCode.INVALID_ARGUMENT
SERVES = "this balancer serves greeter-server.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("requests", "code", "words"),
    [
        ([report(num_calls_started=1)], INVALID, "an initial_request must come first, before client_stats"),
        ([LoadBalanceRequest()], INVALID, "an initial_request must come first, before client_stats"),
        ([], INVALID, "the stream ended before an initial_request"),
        ([initial("")], INVALID, "the name is empty; give what you dial, 256 bytes at most"),
        ([initial("x" * 2**20)], INVALID, "the name is 1048576 bytes long; give what you dial, 256 bytes at most"),
        ([initial(), initial()], INVALID, "after the initial_request only client_stats may come; open another stream"),
        ([initial(), LoadBalanceRequest()], INVALID, "after the initial_request only client_stats may come"),
        ([initial("payments:8000")], grpc.StatusCode.NOT_FOUND, f"by the name 'payments:8000'; {SERVES}"),
        ([initial("greeter-server.other:8000")], grpc.StatusCode.NOT_FOUND, SERVES),
        ([initial("greeter-server.shop.pod")], grpc.StatusCode.NOT_FOUND, SERVES),
        ([initial("grüße\n")], grpc.StatusCode.NOT_FOUND, r"'gr\xfc\xdfe\n'"),
    ],
)
def test_a_client_that_breaks_the_protocol_is_told_how_and_the_others_notice_nothing(
    requests: list[LoadBalanceRequest], code: grpc.StatusCode, words: str
) -> None:
    with balancer(*THREE) as running, told(running) as other:
        assert other.servers() == list(THREE)
        before = running.tasks()
        with grpc.insecure_channel(running.address) as channel:
            responses = LoadBalancerStub(channel).BalanceLoad(iter(requests), timeout=20)
            with pytest.raises(grpc.RpcError) as caught:
                for _ in responses:
                    pass
        assert (caught.value.code(), caught.value.details()) == (code, caught.value.details())
        assert words in str(caught.value.details())
        wait_until("its tasks to end", lambda: (running.streams, running.tasks()) == (1, before))
        running.publish(*THREE[:1])
        assert other.servers() == list(THREE[:1])


def test_a_client_that_has_nothing_more_to_say_is_told_of_changes_until_it_goes() -> None:
    with balancer(*THREE) as running, grpc.insecure_channel(running.address) as channel:
        before = running.tasks()
        opened = LoadBalancerStub(channel).BalanceLoad(iter([initial()]), timeout=20)
        assert next(opened).HasField("initial_response")
        assert len(next(opened).server_list.servers) == 3
        running.publish(*THREE[:1])
        assert len(next(opened).server_list.servers) == 1
        opened.cancel()
        wait_until("it is forgotten", lambda: (running.streams, running.tasks()) == (0, before))


VANISHES = """
import sys, grpc, time
from grpclb.test_balancer import Stream, initial
stream = Stream(grpc.insecure_channel(sys.argv[1]), initial())
stream.read(), print("told", flush=True), time.sleep(60)
"""


def test_a_client_that_is_killed_is_forgotten() -> None:
    with balancer(*THREE) as running:
        before = running.tasks()
        with subprocess.Popen(
            [sys.executable, "-c", VANISHES, running.address], stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout
            assert client.stdout.readline() == "told\n"
            assert running.streams == 1
            client.kill()
        wait_until("it is forgotten", lambda: (running.streams, running.tasks()) == (0, before))


def test_a_thousand_clients_that_come_and_go_leave_nothing() -> None:
    with balancer(*THREE) as running, ExitStack() as stack:
        with grpc.insecure_channel(running.address) as channel, stream(channel, initial()) as first:
            first.read()
        wait_until("quiet", lambda: running.streams == 0)
        before, files = running.tasks(), len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            with ExitStack() as clients:
                options = [("grpc.use_local_subchannel_pool", 1)]
                channel = clients.enter_context(grpc.insecure_channel(running.address, options))
                streams = [clients.enter_context(stream(channel, initial())) for _ in range(100)]
                for each in streams:
                    each.read()
                    assert each.servers() == list(THREE)
                assert running.streams == 100
            wait_until("they are forgotten", lambda: running.streams == 0)
        wait_until("tasks as before", lambda: running.tasks() == before)
        wait_until("files as before", lambda: len(os.listdir("/proc/self/fd")) <= files)
        stack.pop_all()


def test_a_list_is_encoded_once_for_all_clients() -> None:
    with balancer(*THREE) as running, ExitStack() as stack:
        sent = metric("grpclb_lists_sent_total")
        clients = [stack.enter_context(told(running)) for _ in range(20)]
        for client in clients:
            client.servers()
        # A list is counted when it has been sent, which may be later than it is read.
        wait_until("the first are counted", lambda: metric("grpclb_lists_sent_total") - sent == 20)
        encodings = metric("grpclb_encodings_total")
        running.publish(*THREE[:2])
        assert all(client.servers() == list(THREE[:2]) for client in clients)
        assert metric("grpclb_encodings_total") - encodings == 1
        wait_until("all are counted", lambda: metric("grpclb_lists_sent_total") - sent == 40)


def test_a_client_that_does_not_read_is_given_the_newest_list_later_and_holds_nobody_up() -> None:
    window = {"bdp_probe": 0, "lookahead_bytes": 65_535}  # what its transport takes before it reads, or that grows
    with balancer(*THREE) as running, told(running, options=window) as slow, told(running) as quick:
        quick.servers()
        changes = 500
        for number in range(changes):
            running.publish(*addresses(100, first=number + 1))
        last = sorted(addresses(100, first=changes), key=lambda a: ipaddress.ip_address(a[:-5]))
        assert any(sorted(quick.servers()) == sorted(last) for _ in range(changes))
        read = 1
        while sorted(slow.servers()) != sorted(last):
            read += 1
        assert read < changes / 2, "every list was kept for a client that did not read"


def test_reports_are_counted_and_shown_by_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="grpclb")
    labels = {"service": "greeter-server"}
    outcomes = ("started", "finished", "failed_to_send", "known_received", "dropped")
    before = {o: metric("grpclb_client_calls_total", outcome=o, **labels) for o in outcomes}
    with balancer(*THREE, interval=0.1) as running, told(running) as opened:
        opened.send(
            report(
                num_calls_started=9,
                num_calls_finished=8,
                num_calls_finished_with_client_failed_to_send=1,
                num_calls_finished_known_received=5,
            )
        )
        dropped = ClientStatsPerToken(load_balance_token="10.0.0.1:8000", num_calls=2)  # noqa: S106
        opened.send(
            LoadBalanceRequest(client_stats=ClientStats(num_calls_finished=2, calls_finished_with_drop=[dropped]))
        )
        wait_until("both reports", lambda: [client.calls for client in running.servicer.clients.now] == [10])
        counted = {o: metric("grpclb_client_calls_total", outcome=o, **labels) - before[o] for o in outcomes}
        assert counted == {"started": 9, "finished": 10, "failed_to_send": 1, "known_received": 5, "dropped": 2}
        wait_until("a line", lambda: "Clients report" in caplog.text)
        opened.end()
        wait_until("its end", lambda: "left after 10 calls, 2 of them dropped" in caplog.text)


def test_a_change_is_one_line_with_its_age(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="grpclb")
    with balancer(*THREE) as running, told(running) as opened:
        opened.servers()
        running.publish(*THREE[1:], "10.0.0.4:8000")
        opened.servers()
        line = "greeter-server has 3 server(s), 1 new, 1 gone; told 1 of 1 client(s) within"
        wait_until("the line", lambda: caplog.text.count(line) == 1)


def test_a_balancer_that_ends_sends_its_clients_away_before_it_is_gone() -> None:
    with balancer(*THREE) as running, told(running) as opened:
        opened.servers()
        ending = threading.Thread(target=running.end)
        ending.start()
        with pytest.raises(grpc.RpcError) as caught:
            opened.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert caught.value.details() == "this balancer is about to end; ask another"
        ending.join(5)
        assert not ending.is_alive()


def test_reflection_names_it_so_that_grpcurl_can_ask() -> None:
    with balancer(*THREE) as running, grpc.insecure_channel(running.address) as channel:
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        [answer] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=20)
    names = {service.name for service in answer.list_services_response.service}
    assert {"grpc.lb.v1.LoadBalancer", "grpc.health.v1.Health"} <= names
