"""The greeter as an xDS-enabled server: by which certificate it serves, and whom, is what the control plane says.

It asks for a Listener by its own address (gRFC A36), and takes from it TLS (A29) and who may call (A41). A server of
threads: grpc.aio has none that is xDS-enabled. It ends as greeter_server does, and no call that was accepted is lost.
"""

import argparse
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_admin
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from client_xds.greeter_servicer import Callers, GreeterServicer
from greeter_server import settings
from greeter_server.server import GREETER
from helloworld import helloworld_pb2_grpc

log = logging.getLogger(__name__)

STOP = {signal.SIGTERM, signal.SIGINT}
THREADS = 64  # one a call under way, a stream included
BY_XDS = -1  # what gRPC says instead of a port that it will open when the control plane says how


class ServerError(Exception):
    """It can't serve so; the message says why, with the remedy."""


def serve(flags: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises ServerError."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # in the threads to come, too: sigwait takes them
    callers, healthy = Callers(), health.HealthServicer()
    healthy.set(GREETER, health_pb2.HealthCheckResponse.NOT_SERVING)
    serving = [_build(flags, callers, healthy)]
    if flags.health_address:
        serving.append(_build_probed(flags.health_address, healthy))
    for each in serving:
        each.start()
    threading.Thread(target=_become_ready, args=(flags.address, healthy), daemon=True).start()
    threading.Thread(target=callers.report, daemon=True).start()
    signal.sigwait(STOP)
    log.info("Told to stop: health is NOT_SERVING, new calls are served for another %gs", flags.drain)
    healthy.enter_graceful_shutdown()
    time.sleep(flags.drain)
    log.info("Stopping: calls under way get up to %gs", flags.grace)
    for each, grace in zip(serving, (flags.grace, None), strict=False):
        each.stop(grace).wait()
    callers.summarize()
    log.info("Stopped: %d calls received", callers.calls)


def _build(flags: argparse.Namespace, callers: Callers, healthy: health.HealthServicer) -> grpc.Server:
    options = [("grpc.so_reuseport", 0)]  # or two servers would share a port unnoticed
    if flags.max_connection_age is not None:
        options.append(("grpc.max_connection_age_ms", int(flags.max_connection_age * 1000)))
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options, xds=True)
    greeter = GreeterServicer(os.environ.get("POD_IP") or flags.address.rpartition(":")[0], callers)
    helloworld_pb2_grpc.add_GreeterServicer_to_server(greeter, server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([GREETER, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    grpc_admin.add_admin_servicers(server)
    _check_free(flags.address)
    # The fallback is for a Listener without TLS: the control plane decides.
    credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
    if server.add_secure_port(flags.address, credentials) != BY_XDS:
        # gRPC goes on without xDS then: it would answer everybody, in plaintext.
        given = os.environ.get("GRPC_XDS_BOOTSTRAP")
        said = f"GRPC_XDS_BOOTSTRAP is '{given}'" if given else "GRPC_XDS_BOOTSTRAP is not set"
        remedy = "name a bootstrap file with server_listener_resource_name_template; gRPC has said above what it lacks"
        raise ServerError(f"no xDS: {said}; {remedy}")
    return server


def _build_probed(address: str, healthy: health.HealthServicer) -> grpc.Server:
    """A server of the same health in plaintext, and of nothing else: a kubelet can't probe by mTLS."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has just logged the reason, errno and all
        remedy = "is the port in use, or the host another machine's? Choose another with --health-address"
        raise ServerError(f"cannot listen on {address}; {remedy}") from error
    return server


def _check_free(address: str) -> None:
    """gRPC takes the port when it has a Listener, and aborts the process where it can't. Raises ServerError."""
    host, _, port = address.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as error:
        remedy = "choose another with --address"
        raise ServerError(f"cannot listen on {address}: {error.strerror}; {remedy}") from error


def _become_ready(address: str, healthy: health.HealthServicer) -> None:
    """Say SERVING as soon as the port is open: until the first Listener gRPC keeps it closed (A36)."""
    log.info("Waiting for the control plane to say how to serve on %s", address)
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    healthy.set(GREETER, health_pb2.HealthCheckResponse.SERVING)
    log.info("Listening on %s, as the control plane says", address)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code; 2 means that a flag, the bootstrap or the address was wrong."""
    flags = _parser().parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        serve(flags)
    except ServerError as error:
        print(f"client_xds.server: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "client_xds.server",
        usage="python -m client_xds.server [FLAGS]",
        description="Greets, and says which pod did, as a control plane allows it.",
        epilog="environment: GRPC_XDS_BOOTSTRAP, the bootstrap file; POD_IP, the address to answer with",
        allow_abbrev=False,
    )
    add, default = parser.add_argument, settings.Settings
    add("--address", type=_address, default="127.0.0.1:8443", help="where to listen, IP:PORT (default %(default)s)")
    add("--health-address", type=settings.address, help="answer health there, too, in plaintext, for a kubelet")
    add(
        "--max-connection-age",
        type=settings.age,
        metavar="TIME",
        help="end a connection then, 5m say: the next one is made by the certificates of that day (default: never)",
    )
    add(
        "--drain",
        type=settings.time,
        default=default.drain,
        metavar="TIME",
        help=f"on SIGTERM, serve on for so long (default {default.drain:g}s)",
    )
    add(
        "--grace",
        type=settings.time,
        default=default.grace,
        metavar="TIME",
        help=f"then let calls under way end (default {default.grace:g}s)",
    )
    return parser


def _address(text: str) -> str:
    """IP:PORT: a control plane is asked for this very text, and a Listener has an IP and a port (A36)."""
    host, _, port = settings.address(text).rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        if int(port):
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"'{text}' can't be asked for by xDS; give IP:PORT, 0.0.0.0:8443 say")


if __name__ == "__main__":
    sys.exit(main())
