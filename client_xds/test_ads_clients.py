"""Many clients of one control plane, and clients that are slow, killed or sent away."""

import os
import subprocess
import sys
import threading
from contextlib import ExitStack

import grpc
import pytest
from prometheus_client import REGISTRY

from client_xds.types import Type
from testing.ads import client, on
from testing.client_xds import SERVICE, control_plane
from testing.processes import wait_until

THREE = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_change_is_encoded_once_for_all_clients() -> None:
    with control_plane(*THREE) as running, ExitStack() as stack:
        kind = {"type": "ClusterLoadAssignment"}
        acks = metric("xds_acks_total", **kind)
        clients = [stack.enter_context(client(running)) for _ in range(20)]
        for each in clients:
            each.ask(Type.ENDPOINTS, SERVICE)
            assert each.take().servers == list(THREE)
        wait_until("all have taken the first", lambda: metric("xds_acks_total", **kind) - acks == 20)
        encodings, responses = metric("xds_encodings_total"), metric("xds_responses_total", **kind)
        running.publish(*THREE[:2])
        assert all(each.take().servers == list(THREE[:2]) for each in clients)
        assert metric("xds_encodings_total") - encodings == 1
        assert metric("xds_responses_total", **kind) - responses == 20
        wait_until("all have taken it", lambda: metric("xds_acks_total", **kind) - acks == 40)
        assert metric("xds_streams") == 20


def test_a_client_that_does_not_read_is_given_the_newest_later_and_holds_nobody_up() -> None:
    window = {"bdp_probe": 0, "lookahead_bytes": 65_535}  # what its transport takes before it reads, or that grows
    with control_plane(*THREE) as running, client(running, options=window) as slow, client(running) as quick:
        slow.ask(Type.ENDPOINTS, SERVICE)
        slow.read()
        quick.ask(Type.ENDPOINTS, SERVICE)
        quick.take()
        changes = 500
        for number in range(changes):
            last = [f"10.1.{number % 250}.{each}:8000" for each in range(1, 101)]
            running.publish(*last)
        assert any(set(quick.take().servers) == set(last) for _ in range(changes))
        read = 1
        while set(slow.read().servers) != set(last):
            read += 1
        assert read < changes / 2, "every change was kept for a client that did not read"


def test_a_thousand_clients_that_come_and_go_leave_nothing() -> None:
    with control_plane(*THREE) as running, ExitStack() as stack:
        with client(running) as first:
            first.ask(Type.ENDPOINTS, SERVICE)
            first.read()
        wait_until("quiet", lambda: running.streams == 0)
        before, files = running.tasks(), len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            with ExitStack() as clients:
                options = [("grpc.use_local_subchannel_pool", 1)]
                channel = clients.enter_context(grpc.insecure_channel(running.address, options))
                opened = [clients.enter_context(on(channel)) for _ in range(100)]
                for each in opened:
                    each.ask(Type.ENDPOINTS, SERVICE)
                for each in opened:
                    assert each.take().servers == list(THREE)
                assert running.streams == 100
            wait_until("they are forgotten", lambda: running.streams == 0)
        wait_until("tasks as before", lambda: running.tasks() == before)
        wait_until("files as before", lambda: len(os.listdir("/proc/self/fd")) <= files)
        assert running.watched() == set()
        stack.pop_all()


VANISHES = """
import sys, grpc, time
from client_xds.types import Type
from testing.ads import Client, node
client = Client(grpc.insecure_channel(sys.argv[1]), node())
client.ask(Type.ENDPOINTS, "greeter-server")
client.read(), print("told", flush=True), time.sleep(60)
"""


def test_a_client_that_is_killed_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    with control_plane(*THREE) as running:
        before = running.tasks()
        with subprocess.Popen(
            [sys.executable, "-c", VANISHES, running.address], stdout=subprocess.PIPE, text=True
        ) as vanishing:
            assert vanishing.stdout
            assert vanishing.stdout.readline() == "told\n"
            assert (running.streams, running.watched()) == (1, {SERVICE})
            vanishing.kill()
        wait_until("it is forgotten", lambda: (running.streams, running.tasks()) == (0, before))
        assert running.watched() == set()
    assert not caplog.records


def test_a_control_plane_that_ends_sends_its_clients_away_before_it_is_gone() -> None:
    with control_plane(*THREE) as running, client(running) as opened, client(running) as silent:
        opened.ask(Type.ENDPOINTS, SERVICE)
        opened.take()
        silent.send(None)  # it has asked for nothing
        wait_until("both", lambda: running.streams == 2)
        ending = threading.Thread(target=running.end)
        ending.start()
        said = (grpc.StatusCode.UNAVAILABLE, "this control plane is about to end; ask another")
        assert (opened.ended(), silent.ended()) == (said, said)
        ending.join(5)
        assert not ending.is_alive()
