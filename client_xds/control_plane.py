"""An xDS control plane: tells proxyless clients and Envoys alike where a Service's pods are, and how to call them.

By hand, against any cluster: `python -m client_xds.control_plane --address=127.0.0.9:18000 --namespace=default`.
"""

import argparse
import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import grpc
from grpc_health.v1 import health, health_pb2

import endpoint_watch
from client_xds import config, config_map
from client_xds.ads_servicer import SERVICE, AdsServicer
from client_xds.store import ResourceStore
from endpoint_watch import serving
from endpoint_watch.serving import name

log = logging.getLogger(__name__)

OPTIONS = [
    # After a restart of one control plane all clients are at the other. So each is sent to ask anew, by and by.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
    ("grpc.max_receive_message_length", 256 * 1024),  # bytes; some thousand names in one request
]


async def serve(flags: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; then have the clients ask another control plane. Raises ServingError."""
    told = serving.told_to_stop()
    async with endpoint_watch.connect() as api:
        namespace = flags.namespace or api.namespace
        store = ResourceStore(namespace)
        servicer = AdsServicer(store)
        healthy = health.aio.HealthServicer()
        server, port = build(flags.address, servicer, healthy)
        if flags.metrics_address:
            serving.serve_metrics(flags.metrics_address)
        await healthy.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.start()
        host = flags.address.rpartition(":")[0]
        which = ", ".join(flags.service) or "all Services"
        log.info("Listening on %s:%d, serving %s of namespace %s", host, port, which, namespace)
        listed, configured = asyncio.Event(), asyncio.Event()
        snapshots = endpoint_watch.watch(api, flags.service, namespace=namespace, port=flags.port, listed=listed)
        data = config_map.watch(api, flags.config_map, namespace)
        tasks = [
            asyncio.create_task(follow_endpoints(snapshots, store)),
            asyncio.create_task(follow_config(data, flags.config_map, store, configured)),
            asyncio.create_task(start(store, healthy, listed, configured)),
        ]
        stopped = asyncio.create_task(told.wait())
        failed = asyncio.create_task(_first_failure(tasks))
        await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
        log.info("Told to stop: %d clients are sent to another control plane", servicer.streams)
        await healthy.enter_graceful_shutdown()
        await serving.end(server, servicer.stop, flags.grace)
        for task in (*tasks, failed):
            task.cancel()
        for result in await asyncio.gather(*tasks, failed, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
    log.info("Stopped")


async def follow_endpoints(snapshots: AsyncIterator[endpoint_watch.Snapshot], store: ResourceStore) -> None:
    async for snapshot in snapshots:
        store.publish(snapshot)


async def follow_config(
    snapshots: AsyncIterator[Mapping[str, str]], name: str, store: ResourceStore, configured: asyncio.Event
) -> None:
    """Take in the ConfigMap's resources. What can't be read changes nothing; nothing is served before what can."""
    async for data in snapshots:
        try:
            store.configure(config.parsed(data))
        except config.ConfigError as error:
            what = "the resources that it had stay" if configured.is_set() else "nothing is served until it is mended"
            log.error("ConfigMap %s, %s; %s", name, error, what)
            continue
        configured.set()


async def start(
    store: ResourceStore, healthy: health.aio.HealthServicer, listed: asyncio.Event, configured: asyncio.Event
) -> None:
    """Ready as soon as all is known, and from then on."""
    await listed.wait()
    await configured.wait()
    store.start()
    await healthy.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)


async def _first_failure(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


def build(address: str, servicer: AdsServicer, healthy: health.aio.HealthServicer) -> tuple[grpc.aio.Server, int]:
    """A server that listens but is not started, and its port. Raises ServingError."""
    return serving.build(address, SERVICE, servicer.add_to, healthy, OPTIONS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code; 2 means that a flag, the kubeconfig or the address was wrong."""
    flags = _parser().parse_args(argv)
    # An update makes objects for each of a thousand clients. By its default of 700, garbage would be looked for tens of
    # times meanwhile, among all objects too.
    gc.set_threshold(10_000)
    return serving.run("client_xds.control_plane", serve(flags), flags.log_level)


def _parser() -> argparse.ArgumentParser:
    description = "Tells gRPC clients and Envoys where Services' pods are, and how to call them (xDS)."
    parser = serving.parser("client_xds.control_plane", description, port=18000)
    add = parser.add_argument
    add(
        "--service",
        type=name,
        action="append",
        default=[],
        metavar="NAME",
        help="serve this one; may repeat (default: all)",
    )
    add("--config-map", type=name, default="greeter-xds", metavar="NAME", help="has resources (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
