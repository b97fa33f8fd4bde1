"""What a look-aside balancer costs: the time until 1,000 clients know, CPU, memory; and latency over direct channels.

One run, `python -m benchmarks.grpclb`. The balancer is the process that is deployed.
"""

import asyncio
import sys
from collections.abc import Callable

import grpc

from benchmarks.clients import allow_many_files, read_nothing
from benchmarks.kubernetes_api import SERVICE, told
from benchmarks.latency import compare
from benchmarks.updates import Subject, measure_growth, measure_idle, measure_leaving
from grpclb import load_balancer_servicer
from grpclb.client import open_channel
from grpclb.load_balancer_pb2 import InitialLoadBalanceRequest, LoadBalanceRequest, LoadBalanceResponse
from testing.services import service

METHOD = f"/{load_balancer_servicer.SERVICE}/BalanceLoad"
GO = "go-control-plane, 1,000 streams on such a machine: p99 190 ms, 0.13 s CPU per update"

KEY = 24  # bytes; the first server is the one that changes, and its address is among them


async def stream(channel: grpc.aio.Channel, has: Callable[[object], None], reads: bool) -> None:
    """As a client of grpclb, whose key is the beginning of a list."""
    request = LoadBalanceRequest(initial_request=InitialLoadBalanceRequest(name=SERVICE)).SerializeToString()
    initial = LoadBalanceResponse.INITIAL_RESPONSE_FIELD_NUMBER << 3 | 2  # the tag
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(METHOD)
    call = method()
    await call.write(request)
    if not reads:
        await read_nothing(call)
    async for response in call:
        if response[0] != initial:
            has(response[:KEY])


SUBJECT = Subject(
    module="grpclb.balancer",
    stream=stream,
    streams="grpclb_streams",
    encodings="grpclb_encodings_total",
    sent="grpclb_lists_sent_total",
    age="grpclb_list_age_seconds",
)


async def measure_latency() -> None:
    with service(3) as behind:
        async with told(SUBJECT.module, list(behind.servers), port=behind.port) as running:
            host, _, port = running.address.rpartition(":")
            behind.names.balancers = [(host, int(port))]
            behind.names.addresses = []  # so that it must have them from the balancer
            with open_channel(behind.target) as channel:
                await asyncio.to_thread(compare, "a balancer named them", channel, behind)


async def run() -> None:
    print(GO)
    await measure_growth(stream, {"grpclb": SUBJECT.told})
    await measure_idle(SUBJECT)
    await measure_leaving(SUBJECT)
    await measure_latency()


def main() -> int:
    allow_many_files()
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
