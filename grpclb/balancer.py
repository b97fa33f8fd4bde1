"""A look-aside balancer: watches a Service's EndpointSlices and tells gRPC clients where to call (grpc.lb.v1).

By hand, against any cluster: `python -m grpclb.balancer --address=127.0.0.9:19000 --service=greeter-server`.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import grpc
from grpc_health.v1 import health, health_pb2

import endpoint_watch
from endpoint_watch import serving
from endpoint_watch.serving import name, seconds
from grpclb.load_balancer_servicer import SERVICE, LoadBalancerServicer
from grpclb.server_lists import ServerLists

log = logging.getLogger(__name__)


async def serve(flags: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; then have the clients ask another balancer. Raises ServingError."""
    told = serving.told_to_stop()
    async with endpoint_watch.connect() as api:
        namespace = flags.namespace or api.namespace
        lists = {service: ServerLists(service) for service in flags.service}
        servicer = LoadBalancerServicer(lists, namespace, flags.stats_interval)
        healthy = health.aio.HealthServicer()
        server, port = build(flags.address, servicer, healthy)
        if flags.metrics_address:
            serving.serve_metrics(flags.metrics_address)
        await healthy.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.start()
        host = flags.address.rpartition(":")[0]
        log.info("Listening on %s:%d, serving %s of namespace %s", host, port, ", ".join(lists), namespace)
        snapshots = endpoint_watch.watch(api, flags.service, namespace=namespace, port=flags.port)
        following = asyncio.create_task(follow(snapshots, lists, healthy))
        summarizing = asyncio.create_task(servicer.clients.summarize(flags.stats_interval))
        stopped = asyncio.create_task(told.wait())
        await asyncio.wait((stopped, following, summarizing), return_when=asyncio.FIRST_COMPLETED)
        log.info("Told to stop: %d clients are sent to another balancer", len(servicer.clients.now))
        await healthy.enter_graceful_shutdown()
        await serving.end(server, servicer.stop, flags.grace)
        for task in (following, summarizing):
            task.cancel()
        for result in await asyncio.gather(following, summarizing, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
    log.info("Stopped")


async def follow(
    snapshots: AsyncIterator[endpoint_watch.Snapshot],
    lists: Mapping[str, ServerLists],
    healthy: health.aio.HealthServicer,
) -> None:
    """Publish what is heard. Ready as soon as something is known of each Service, and from then on."""
    ready = False
    async for snapshot in snapshots:
        lists[snapshot.service].publish(snapshot)
        if not ready and all(each.known for each in lists.values()):
            ready = True
            await healthy.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)


def build(
    address: str, servicer: LoadBalancerServicer, healthy: health.aio.HealthServicer
) -> tuple[grpc.aio.Server, int]:
    """A server that listens but is not started, and its port. Raises ServingError."""
    return serving.build(address, SERVICE, servicer.add_to, healthy)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code; 2 means that a flag, the kubeconfig or the address was wrong."""
    flags = _parser().parse_args(argv)
    return serving.run("grpclb.balancer", serve(flags), flags.log_level)


def _parser() -> argparse.ArgumentParser:
    description = "Tells gRPC clients where a Service's pods are, and when that changes."
    parser = serving.parser("grpclb.balancer", description, port=9000)
    add = parser.add_argument
    add("--service", type=name, action="append", required=True, metavar="NAME", help="a Service to serve; may repeat")
    add(
        "--stats-interval",
        type=seconds,
        default="10s",
        metavar="TIME",
        help="of clients' reports (default %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
