"""Building, running and draining the server."""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import grpc_admin
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from greeter_server.faults import Faults
from greeter_server.greeter_servicer import GreeterServicer
from greeter_server.received import Received
from greeter_server.settings import Settings, SettingsError
from helloworld import helloworld_pb2, helloworld_pb2_grpc

log = logging.getLogger(__name__)

UNWIND = 1.0  # seconds that the calls cut at the end of the grace have to be done with: they need next to nothing

GREETER = helloworld_pb2.DESCRIPTOR.services_by_name["Greeter"].full_name


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain: no call that was accepted is lost.

    First health says NOT_SERVING and calls are served on for `settings.drain`, while clients notice; then connections
    get a GOAWAY, and the calls under way get `settings.grace` to end. Raises SettingsError.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, told.set)
    received = Received()
    server, port, health_servicer = await build(settings, received)
    probed = [_build_probed(settings.health_address, health_servicer)] if settings.health_address else []
    for each in (server, *probed):
        await each.start()
    host = settings.address.rpartition(":")[0]
    log.info("Listening on %s:%d, connection age %s", host, port, _written(settings.max_connection_age))
    reporting = asyncio.create_task(received.report())
    await told.wait()
    log.info("Told to stop: health is NOT_SERVING, new calls are served for another %s", _written(settings.drain))
    await health_servicer.enter_graceful_shutdown()
    await asyncio.sleep(settings.drain)
    log.info("Stopping: %d calls under way get up to %s", received.under_way, _written(settings.grace))
    await server.stop(settings.grace)
    for each in probed:
        await each.stop(None)
    reporting.cancel()
    # gRPC has cancelled what was still under way. Those handlers end before the loop does: gRPC would log a traceback
    # for each that the loop's end takes by surprise.
    await asyncio.wait({reporting} | asyncio.all_tasks() - {asyncio.current_task()}, timeout=UNWIND)
    received.summarize()
    log.info("Stopped: %d calls received, %d answered", received.calls, received.answered)


async def build(settings: Settings, received: Received) -> tuple[grpc.aio.Server, int, health.aio.HealthServicer]:
    """A server that listens but is not started, its port (for port 0, the one it got), and its health.

    Raises SettingsError where it cannot listen or a TLS file cannot be read.
    """
    options: list[tuple[str, int]] = [("grpc.so_reuseport", 0)]  # or two servers would share a port unnoticed
    if settings.max_connection_age is not None:
        options.append(("grpc.max_connection_age_ms", int(settings.max_connection_age * 1000)))
    if settings.max_connection_age_grace is not None:
        options.append(("grpc.max_connection_age_grace_ms", int(settings.max_connection_age_grace * 1000)))
    if settings.permit_keepalive_time is not None:
        options.append(("grpc.http2.min_ping_interval_without_data_ms", int(settings.permit_keepalive_time * 1000)))
        options.append(("grpc.keepalive_permit_without_calls", 1))
    server = grpc.aio.server(options=options)

    health_servicer = health.aio.HealthServicer()
    await health_servicer.set(GREETER, health_pb2.HealthCheckResponse.SERVING)
    pod_ip = settings.pod_ip or settings.address.rpartition(":")[0]
    faults = Faults(health_servicer, GREETER) if settings.faults else None
    greeter = GreeterServicer(pod_ip, received, faults)
    helloworld_pb2_grpc.add_GreeterServicer_to_server(greeter, server)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    reflection.enable_server_reflection([GREETER, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    grpc_admin.add_admin_servicers(server)
    return server, _listen(server, settings), health_servicer


def _build_probed(address: str, health_servicer: health.aio.HealthServicer) -> grpc.aio.Server:
    """A server of the same health, and of nothing else."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    with _explained("--health-address", address):
        server.add_insecure_port(address)
    return server


def _listen(server: grpc.aio.Server, settings: Settings) -> int:
    with _explained("--address", settings.address):
        if settings.tls_cert and settings.tls_key:
            return server.add_secure_port(settings.address, _credentials(settings.tls_cert, settings.tls_key))
        return server.add_insecure_port(settings.address)


@contextmanager
def _explained(flag: str, address: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gRPC has just logged the reason, errno and all
        remedy = f"is the port in use, or the host another machine's? Choose another with {flag}"
        raise SettingsError(f"cannot listen on {address}; {remedy}") from error


def _credentials(cert: Path, key: Path) -> grpc.ServerCredentials:
    try:
        # gRPC would not say what is wrong; and without a password OpenSSL asks a terminal for one.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password="")
        return grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
    except ssl.SSLError as error:
        raise SettingsError(f"--tls-cert {cert}, --tls-key {key}: {error}; give a PEM chain and its key") from error
    except OSError as error:
        unreadable = [file for file in (cert, key) if not (file.is_file() and os.access(file, os.R_OK))]
        named = ", ".join(map(str, unreadable))
        raise SettingsError(f"TLS file {named}: {error.strerror}; is the Secret mounted there?") from error


def _written(seconds: float | None) -> str:
    return "without limit" if seconds is None else f"{seconds:.10g}s"
