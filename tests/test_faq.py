"""What docs/faq.md and docs/production.md say of gRPC's own connections and names, and is shown nowhere else."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from helloworld.helloworld_pb2 import HelloReply, HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterServicer, GreeterStub, add_GreeterServicer_to_server
from testing.processes import wait_until


@dataclass
class Slow(GreeterServicer):
    """Answers after some seconds, and knows by which connections it was called, and how many calls it had at a time."""

    seconds: float
    address: str = ""
    connections: set[str] = field(default_factory=set)
    under_way: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def SayHello(self, request: HelloRequest, context: grpc.ServicerContext) -> HelloReply:  # noqa: N802  the proto's
        with self.lock:
            self.connections.add(context.peer())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(self.seconds)
        with self.lock:
            self.under_way -= 1
        return HelloReply(message="Hello")

    def SayHelloStream(self, request_iterator: Iterator[HelloRequest], context: grpc.ServicerContext) -> Any:  # noqa: N802
        raise NotImplementedError


@contextmanager
def slow(*options: tuple[str, int], seconds: float = 0) -> Iterator[Slow]:
    servicer = Slow(seconds)
    server = grpc.server(ThreadPoolExecutor(20), options=[("grpc.so_reuseport", 0), *options])
    add_GreeterServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield servicer
    finally:
        server.stop(0).wait()


@pytest.mark.parametrize(("options", "connections"), [([], 1), ([("grpc.use_local_subchannel_pool", 1)], 3)])
def test_channels_of_one_process_to_one_address_share_a_connection_unless_each_has_a_pool_of_its_own(
    options: list[tuple[str, int]], connections: int
) -> None:
    with slow() as server, ExitStack() as stack:
        for _ in range(3):
            channel = stack.enter_context(grpc.insecure_channel(server.address, options=options))
            GreeterStub(channel).SayHello(HelloRequest(name="you"), timeout=10)
    assert len(server.connections) == connections


def burst(stub: GreeterStub, calls: int) -> Counter[str]:
    """So many calls at once, by what became of them."""
    made = [stub.SayHello.future(HelloRequest(name="you"), timeout=30) for _ in range(calls)]
    return Counter("OK" if call.exception() is None else str(call.details()) for call in made)


@pytest.mark.parametrize("limit", [5, None])
def test_calls_beyond_a_servers_max_concurrent_streams_wait_for_the_one_connection_or_are_refused(
    limit: int | None,
) -> None:
    refused = "Stream removed (RST_STREAM (Received RST_STREAM with error code 7))"
    options = [("grpc.max_concurrent_streams", limit)] if limit else []
    with slow(*options, seconds=0.02) as server, grpc.insecure_channel(server.address) as channel:
        stub = GreeterStub(channel)
        stub.SayHello(HelloRequest(name="you"), timeout=10)  # the connection is there, and the limit known
        outcomes = burst(stub, 20)
        if limit:
            wait_until("a call that is refused", lambda: outcomes.update(burst(stub, 20)) or outcomes[refused])
    assert len(server.connections) == 1
    assert outcomes["OK"]
    assert outcomes.keys() == ({"OK", refused} if limit else {"OK"})
    assert server.most == limit if limit else server.most > 5


class OneName(BaseResolver):  # type: ignore[misc]
    """Knows one name, and remembers which it was asked for."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, list[str]()

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply, name = request.reply(), str(request.q.qname)
        if request.q.qtype == QTYPE.A:
            self.asked.append(name)
        if name != self.name:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            reply.add_answer(RR(name, QTYPE.A, rdata=A("127.0.0.1"), ttl=0))
        return reply


NAME = "greeter-server.demo.svc.cluster.local."
READY = "import grpc, sys; grpc.channel_ready_future(grpc.insecure_channel(sys.argv[1])).result(20)"


@pytest.mark.parametrize(("dialled", "asked"), [(NAME[:-1], [NAME + NAME.partition(".")[2], NAME]), (NAME, [NAME])])
def test_a_name_with_fewer_than_five_dots_is_asked_for_in_the_search_domain_first_unless_it_ends_in_a_dot(
    dialled: str, asked: list[str]
) -> None:
    """As in a pod, whose resolv.conf says ndots:5; c-ares takes that from the environment, too, and one domain."""
    names = OneName(NAME)
    server = DNSServer(names, address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
    server.start_thread()
    try:
        host, port = server.server.server_address
        env = {**os.environ, "LOCALDOMAIN": NAME.partition(".")[2].rstrip("."), "RES_OPTIONS": "ndots:5"}
        with slow() as greeter:
            target = f"dns://{host}:{port}/{dialled}:{greeter.address.rpartition(':')[2]}"
            subprocess.run([sys.executable, "-c", READY, target], env=env, check=True, timeout=30)
    finally:
        server.stop()
        server.server.server_close()
    assert names.asked == asked
