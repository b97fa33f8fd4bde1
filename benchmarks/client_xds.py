"""What a control plane costs: the time until 1,000 clients have an update and said so, CPU, memory; and what it costs
a call to be configured by one, as a proxyless client and through an Envoy.

One run, `python -m benchmarks.client_xds`. The control plane is the process that is deployed. go-control-plane, the
library that most others are made with, is measured beside it with the same clients and the same resources, where there
is a `go` to build it.
"""

import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from benchmarks import go_control_plane
from benchmarks.clients import allow_many_files, read_nothing
from benchmarks.kubernetes_api import SERVICE, told
from benchmarks.latency import compare
from benchmarks.updates import Start, Subject, measure_growth, measure_idle, measure_leaving
from client_xds import ads_servicer
from client_xds.client import open_channel
from client_xds.types import Type
from testing.client_xds import bootstrap, sidecar
from testing.services import service

METHOD = f"/{ads_servicer.SERVICE}/StreamAggregatedResources"
ORDER = (Type.LISTENER, Type.ROUTES, Type.CLUSTER, Type.ENDPOINTS)  # in which a client asks: what each refers to, next
NUMBERS = itertools.count(1)


async def stream(channel: grpc.aio.Channel, has: Callable[[object], None], reads: bool) -> None:
    """As a proxyless client, which acknowledges each response; its key is the version of the endpoints."""
    method: grpc.aio.StreamStreamMultiCallable[DiscoveryRequest, DiscoveryResponse] = channel.stream_stream(
        METHOD, DiscoveryRequest.SerializeToString, DiscoveryResponse.FromString
    )
    call = method()
    node = Node(id=f"client-{next(NUMBERS)}")
    if not reads:
        await call.write(DiscoveryRequest(node=node, type_url=Type.ENDPOINTS.url, resource_names=[SERVICE]))
        await read_nothing(call)
    await call.write(DiscoveryRequest(node=node, type_url=Type.LISTENER.url, resource_names=[SERVICE]))
    following = {first.url: then.url for first, then in itertools.pairwise(ORDER)}
    async for response in call:
        url, version = response.type_url, response.version_info
        await call.write(
            DiscoveryRequest(
                version_info=version, response_nonce=response.nonce, type_url=url, resource_names=[SERVICE]
            )
        )
        if then := following.pop(url, ""):
            await call.write(DiscoveryRequest(type_url=then, resource_names=[SERVICE]))
        if url == Type.ENDPOINTS.url:
            has(version)


SUBJECT = Subject(
    module="client_xds.control_plane",
    stream=stream,
    streams="xds_streams",
    encodings="xds_encodings_total",
    sent='xds_responses_total{type="ClusterLoadAssignment"}',
    age="xds_change_age_seconds",
)


async def measure_beside_go() -> None:
    """Without go-control-plane where it can't be built."""
    tellers: dict[str, Start] = {"client_xds": SUBJECT.told}
    with tempfile.TemporaryDirectory() as directory:
        print("Building go-control-plane: that takes up to a minute for the first time ...", flush=True)
        try:
            program = go_control_plane.build(Path(directory))
            tellers["go-control-plane"] = partial(go_control_plane.serving, program)
        except FileNotFoundError:
            print("go-control-plane is left out: there is no go on PATH to build it")
        except subprocess.CalledProcessError:  # go has just said why
            print("go-control-plane is left out: its modules can't be had, or need a newer Go")
        await measure_growth(stream, tellers)


async def measure_latency() -> None:
    """Calls of clients that a control plane tells where the servers are."""
    with service(3) as behind:
        async with told(SUBJECT.module, list(behind.servers), port=behind.port) as running:
            os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = bootstrap(running.address)
            with open_channel(f"xds:///{SERVICE}") as channel:
                await asyncio.to_thread(compare, "proxyless", channel, behind)
            with sidecar(running.address) as envoy, open_channel(f"{envoy.ip}:9000") as channel:
                await asyncio.to_thread(grpc.channel_ready_future(channel).result, 20)
                await asyncio.to_thread(compare, "through a sidecar, access log on", channel, behind)


async def run() -> None:
    await measure_beside_go()
    await measure_idle(SUBJECT)
    await measure_leaving(SUBJECT)
    await measure_latency()


def main() -> int:
    allow_many_files()
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
