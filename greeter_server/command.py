"""The command line: flags and environment become `Settings`, a server runs until it is told to stop."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from greeter_server.server import serve
from greeter_server.settings import Settings, SettingsError, duration


def main(
    argv: Sequence[str] | None = None,
    *,
    max_connection_age: str = "",
    max_connection_age_grace: str = "",
    permit_keepalive_time: str = "",
) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code; 2 means that a setting was wrong.

    The three times (Go durations; empty is gRPC's default) are what a strategy's server sets. The variables
    GRPC_MAX_CONNECTION_AGE, GRPC_MAX_CONNECTION_AGE_GRACE and GRPC_PERMIT_KEEPALIVE_TIME override them: that is where a
    manifest sets its own.
    """
    flags = _parser().parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=flags.log_level, stream=sys.stderr)
    try:
        settings = Settings(
            address=flags.address,
            pod_ip=os.environ.get("POD_IP", ""),
            tls_cert=flags.tls_cert,
            tls_key=flags.tls_key,
            max_connection_age=_time("GRPC_MAX_CONNECTION_AGE", max_connection_age),
            max_connection_age_grace=_time("GRPC_MAX_CONNECTION_AGE_GRACE", max_connection_age_grace),
            permit_keepalive_time=_time("GRPC_PERMIT_KEEPALIVE_TIME", permit_keepalive_time),
            drain=duration(flags.drain, "--drain"),
            grace=duration(flags.grace, "--grace"),
            faults=flags.faults,
        )
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"greeter_server: {error}", file=sys.stderr)
        return 2
    return 0


def _time(variable: str, default: str) -> float | None:
    text = os.environ.get(variable, default)
    if not text:
        return None
    try:
        seconds = duration(text, variable)
    except SettingsError as error:
        raise SettingsError(f"{error}, or unset it for gRPC's default") from None
    if seconds < 0.001:  # gRPC counts in milliseconds, and reads 0 as "at once", for ever
        raise SettingsError(f"{variable} is '{text}': too short; unset it for gRPC's default, or give 1ms or more")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "greeter_server",
        usage="python -m greeter_server [FLAGS]",
        description="Greets, and says which pod did.",
        epilog="environment: POD_IP, the address to answer with (default: the host of --address); "
        "GRPC_MAX_CONNECTION_AGE and GRPC_MAX_CONNECTION_AGE_GRACE, durations such as 30s or 5m (default: for ever); "
        "GRPC_PERMIT_KEEPALIVE_TIME, how often clients may ping, 10s say (default: 5m, and not without calls)",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--address", default="127.0.0.1:8000", help="where to listen, HOST:PORT, 0.0.0.0:8000 say (default %(default)s)"
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain, /tls/tls.crt say")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, /tls/tls.key say")
    parser.add_argument(
        "--drain", default="2s", metavar="TIME", help="on SIGTERM, serve new calls this long (default %(default)s)"
    )
    parser.add_argument(
        "--grace", default="20s", metavar="TIME", help="then let calls under way end (default %(default)s)"
    )
    parser.add_argument("--faults", action="store_true", help="obey fault metadata: for drills, never in production")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING"], help="DEBUG: every call")
    return parser
