"""What grpclb's balancer and client_xds's control plane have in common: they tell clients over gRPC what they watch.

Their clients keep a stream open for as long as they live, and go to another such program when this one ends.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence

import grpc
import prometheus_client
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from endpoint_watch.connection import ConnectionFailed
from helloworld import durations

log = logging.getLogger(__name__)

OPTIONS = (
    ("grpc.so_reuseport", 0),  # or two would share a port unnoticed
    # A client that is gone without a word, with its node say, is found out and forgotten.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # C-core's own, 60 s by default, and it wins
    # Clients may do the same with us: a server that hangs would otherwise not be noticed.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class ServingError(Exception):
    """It can't serve so; the message says why, with the remedy."""


def build(
    address: str,
    service: str,
    add_to: Callable[[grpc.aio.Server], None],
    healthy: health.aio.HealthServicer,
    options: Sequence[tuple[str, int]] = (),
) -> tuple[grpc.aio.Server, int]:
    """A server of this service, health and reflection that listens but is not started, and its port.

    Raises ServingError.
    """
    server = grpc.aio.server(options=[*OPTIONS, *options])
    add_to(server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([service, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has just logged the reason, errno and all
        remedy = "is the port in use, or the host another machine's? Choose another with --address"
        raise ServingError(f"cannot listen on {address}; {remedy}") from error


async def end(server: grpc.aio.Server, stop: Callable[[], None], grace: float) -> None:
    """First no new streams, and a GOAWAY on each connection; then `stop` ends the streams, which come no more to us.

    What has not ended after `grace` seconds is cut off.
    """
    stopping = asyncio.create_task(server.stop(grace))
    await asyncio.sleep(0)
    stop()
    await stopping


def serve_metrics(address: str) -> None:
    """For Prometheus, in a thread. Raises ServingError."""
    host, _, port = address.rpartition(":")
    try:
        server, _ = prometheus_client.start_http_server(int(port), host)
    except OSError as error:
        remedy = "choose another with --metrics-address"
        raise ServingError(f"cannot serve metrics on {address}: {error.strerror}; {remedy}") from error
    log.info("Metrics on http://%s:%d/metrics", host, server.server_port)


def told_to_stop() -> asyncio.Event:
    """Set at SIGTERM or SIGINT."""
    told = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, told.set)
    return told


def run(program: str, serving: Coroutine[None, None, None], log_level: str) -> int:
    """Serve, and return the exit code; 2 means that a flag, the kubeconfig or the address was wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=log_level, stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it says each request
    try:
        asyncio.run(serving)
    except (ServingError, ConnectionFailed) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


def parser(program: str, description: str, port: int) -> argparse.ArgumentParser:
    """The flags that all have; `port` is where it listens by default. A program adds its own."""
    flags = argparse.ArgumentParser(
        program, usage=f"python -m {program} [FLAGS]", description=description, allow_abbrev=False
    )
    add = flags.add_argument
    add("--address", type=address, default=f"127.0.0.1:{port}", help="where to listen, HOST:PORT (default %(default)s)")
    add("--namespace", type=name, metavar="NAME", help="of the Services (default: the pod's, or the kubeconfig's)")
    add("--port", default="grpc", metavar="NAME", help="the name of their port (default %(default)s)")
    add("--metrics-address", type=address, metavar="HOST:PORT", help="for Prometheus (default: none)")
    add(
        "--grace",
        type=seconds,
        default="5s",
        metavar="TIME",
        help="for streams to end on SIGTERM (default %(default)s)",
    )
    add("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING"], help="DEBUG: every client")
    return flags


# Types of flags.


def address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is no address; give HOST:PORT, 0.0.0.0:8000 say")
    return text


def name(text: str) -> str:
    """Of a Kubernetes object."""
    if not (text.isascii() and text.replace("-", "").isalnum() and text.islower() and len(text) < 64):
        raise argparse.ArgumentTypeError(f"'{text}' is no name of a Kubernetes object; greeter-server is one")
    return text


def seconds(text: str) -> float:
    """Of a Go duration (30s, 1m30s, 500ms) that is more than none."""
    try:
        value = durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is {error}") from None
    if value < 0.001:
        raise argparse.ArgumentTypeError(f"'{text}' is too short; write 1s say")
    return value
