"""A look-aside balancer: watches a Service's EndpointSlices and tells gRPC clients where to call (grpc.lb.v1).

By hand, against any cluster: `python -m grpclb.balancer --address=127.0.0.9:19000 --service=greeter-server`.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import grpc
import prometheus_client
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import endpoint_watch
from grpclb.load_balancer_servicer import SERVICE, LoadBalancerServicer
from grpclb.server_lists import ServerLists
from helloworld import durations

log = logging.getLogger(__name__)

OPTIONS = [
    ("grpc.so_reuseport", 0),  # or two balancers would share a port unnoticed
    # A client that is gone without a word, with its node say, is found out and forgotten.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # C-core's own, 60 s by default, and it wins
    # Clients may do the same with us: a balancer that hangs would otherwise not be noticed.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class BalancerError(Exception):
    """It can't serve so; the message says why, with the remedy."""


async def serve(flags: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; then have the clients ask another balancer. Raises BalancerError."""
    told = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, told.set)
    async with endpoint_watch.connect() as api:
        namespace = flags.namespace or api.namespace
        lists = {service: ServerLists(service) for service in flags.service}
        servicer = LoadBalancerServicer(lists, namespace, flags.stats_interval)
        healthy = health.aio.HealthServicer()
        server, port = build(flags.address, servicer, healthy)
        if flags.metrics_address:
            _serve_metrics(flags.metrics_address)
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
        await end(server, servicer, flags.grace)
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
    """A server that listens but is not started, and its port. Raises BalancerError."""
    server = grpc.aio.server(options=OPTIONS)
    servicer.add_to(server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has just logged the reason, errno and all
        remedy = "is the port in use, or the host another machine's? Choose another with --address"
        raise BalancerError(f"cannot listen on {address}; {remedy}") from error


async def end(server: grpc.aio.Server, servicer: LoadBalancerServicer, grace: float) -> None:
    """First no new streams, and a GOAWAY on each connection; then the end of the streams, which come no more to us.

    What has not ended after `grace` seconds is cut off.
    """
    stopping = asyncio.create_task(server.stop(grace))
    await asyncio.sleep(0)
    servicer.stop()
    await stopping


def _serve_metrics(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        server, _ = prometheus_client.start_http_server(int(port), host)
    except OSError as error:
        remedy = "choose another with --metrics-address"
        raise BalancerError(f"cannot serve metrics on {address}: {error.strerror}; {remedy}") from error
    log.info("Metrics on http://%s:%d/metrics", host, server.server_port)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code; 2 means that a flag, the kubeconfig or the address was wrong."""
    flags = _parser().parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=flags.log_level, stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it says each request
    try:
        asyncio.run(serve(flags))
    except (BalancerError, endpoint_watch.ConnectionFailed) as error:
        print(f"grpclb.balancer: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "grpclb.balancer",
        usage="python -m grpclb.balancer [FLAGS]",
        description="Tells gRPC clients where a Service's pods are, and when that changes.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--address", type=_address, default="127.0.0.1:9000", help="where to listen, HOST:PORT (default %(default)s)")
    add("--service", type=_name, action="append", required=True, metavar="NAME", help="a Service to serve; may repeat")
    add("--namespace", type=_name, metavar="NAME", help="where they are (default: the pod's, or the kubeconfig's)")
    add("--port", default="grpc", metavar="NAME", help="the name of their port (default %(default)s)")
    add("--metrics-address", type=_address, metavar="HOST:PORT", help="for Prometheus (default: none)")
    add("--stats-interval", type=_time, default="10s", metavar="TIME", help="of clients' reports (default %(default)s)")
    add("--grace", type=_time, default="5s", metavar="TIME", help="for streams to end on SIGTERM (default %(default)s)")
    add("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING"], help="DEBUG: every client that comes")
    return parser


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is no address; give HOST:PORT, 0.0.0.0:9000 say")
    return text


def _name(text: str) -> str:
    if not (text.isascii() and text.replace("-", "").isalnum() and text.islower() and len(text) < 64):
        raise argparse.ArgumentTypeError(f"'{text}' is no name of a Kubernetes object; greeter-server is one")
    return text


def _time(text: str) -> float:
    try:
        seconds = durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is {error}") from None
    if seconds < 0.001:
        raise argparse.ArgumentTypeError(f"'{text}' is too short; write 1s say")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
