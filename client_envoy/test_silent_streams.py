"""What becomes of a stream that says nothing for long."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect
from testing.client_envoy import Pods, as_it_is, cluster, pods, without
from testing.envoy import Config
from testing.processes import wait_until

KEEPALIVE = "02"


def timers(running: Pods) -> list[tuple[str, float]]:
    """Of each connection to a server: the timer that the kernel has set, in how many seconds it goes off (proc(5))."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, _, timer, *_ = line.split()
        ip, port = remote.split(":")
        if (socket.inet_ntoa(bytes.fromhex(ip)[::-1]), int(port, 16)) in {(ip, running.port) for ip in running.servers}:
            kind, when = timer.split(":")
            found.append((kind, int(when, 16) / 100))
    return found


@pytest.mark.parametrize("kept", [True, False])
def test_a_silent_connection_is_probed_by_tcp_within_half_a_minute_unless_nobody_asks_for_it(kept: bool) -> None:
    with pods(3, change=as_it_is if kept else without("upstream_connection_options")) as running:
        with running.channel() as channel:
            connect(channel, 3)

        def known() -> bool:
            set_timers = [seconds for kind, seconds in timers(running) if kind == KEEPALIVE and seconds <= 30]
            return len(set_timers) == (len(timers(running)) if kept else 0)

        assert len(timers(running)) >= 3
        wait_until("timers", known)


def test_pings_of_http2_instead_would_have_servers_end_silent_streams() -> None:
    def change(config: Config) -> None:
        [options] = cluster(config)["typed_extension_protocol_options"].values()
        pings = {"connection_keepalive": {"interval": "0.5s", "timeout": "5s"}}
        options["explicit_http_config"]["http2_protocol_options"] = pings

    silence = threading.Event()

    def requests() -> Iterator[HelloRequest]:
        silence.wait(30)
        yield from ()

    with pods(1, change=change) as running, running.channel() as channel:
        try:
            with pytest.raises(grpc.RpcError, match="Too many pings"):
                list(GreeterStub(channel).SayHelloStream(requests(), timeout=20))
        finally:
            silence.set()
