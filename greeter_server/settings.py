"""What can be set of a greeter server, checked before anything starts."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helloworld import durations


class SettingsError(Exception):
    """A setting that cannot be; the message says which, its value, and what to do."""


@dataclass(frozen=True)
class Settings:
    """Times are in seconds; an age of None is gRPC's default, infinite (gRFC A9).

    `permit_keepalive_time` is how often clients may ping, also without calls; None is gRPC's default: every 5 min, and
    not without calls (gRFC A8).
    """

    address: str = "127.0.0.1:8000"
    pod_ip: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    health_address: str = ""
    max_connection_age: float | None = None
    max_connection_age_grace: float | None = None
    permit_keepalive_time: float | None = None
    drain: float = 2.0
    grace: float = 20.0
    faults: bool = False
    log_level: str = "INFO"


def parsed(argv: Sequence[str] | None = None) -> Settings:
    """What the flags and POD_IP say. Exits with 2, as argparse does, where one cannot be."""
    parser = argparse.ArgumentParser(
        "greeter_server",
        usage="python -m greeter_server [FLAGS]",
        description="Greets, and says which pod did.",
        epilog="environment: POD_IP, the address to answer with (default: the host of --address)",
        argument_default=argparse.SUPPRESS,  # the defaults are those of Settings
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--address", type=address, help=f"where to listen, 0.0.0.0:8000 say (default {Settings.address})")
    add("--tls-cert", type=Path, metavar="FILE", help="certificate chain, /tls/tls.crt say")
    add("--tls-key", type=Path, metavar="FILE", help="its private key, /tls/tls.key say")
    add("--health-address", type=address, help="answer health there, too, in plaintext: a kubelet can't probe by TLS")
    add("--max-connection-age", type=age, metavar="TIME", help="end a connection then, 5m say (default: never)")
    add(
        "--max-connection-age-grace",
        type=age,
        metavar="TIME",
        help="let its calls under way end, 30s say (default: for ever)",
    )
    add(
        "--permit-keepalive-time",
        type=age,
        metavar="TIME",
        help="clients may ping so often, 10s say (default: 5m, and not without calls)",
    )
    add("--drain", type=time, metavar="TIME", help=f"on SIGTERM, serve on for so long (default {Settings.drain:g}s)")
    add("--grace", type=time, metavar="TIME", help=f"then let calls under way end (default {Settings.grace:g}s)")
    add("--faults", action="store_true", help="obey fault metadata: for drills, never in production")
    add("--log-level", choices=["DEBUG", "INFO", "WARNING"], help="DEBUG: every call (default INFO)")
    flags = vars(parser.parse_args(argv))
    if ("tls_cert" in flags) != ("tls_key" in flags):
        parser.error("--tls-cert and --tls-key go together; give both, or neither for plaintext")
    return Settings(pod_ip=os.environ.get("POD_IP", ""), **flags)


def address(text: str) -> str:
    """HOST:PORT."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is no address; give HOST:PORT, 0.0.0.0:8000 say")
    return text


def time(text: str) -> float:
    """Seconds of a Go duration (30s, 1m30s, 500ms), the form that Kubernetes users type."""
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is {error}") from None


def age(text: str) -> float:
    """A time that is more than none: gRPC counts in milliseconds, and reads 0 as "at once", for ever."""
    if (seconds := time(text)) < 0.001:
        raise argparse.ArgumentTypeError(f"'{text}' is too short; give 1ms or more, or leave it out for gRPC's default")
    return seconds
