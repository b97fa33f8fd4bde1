"""What can be set of a greeter server, checked before anything starts."""

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
    max_connection_age: float | None = None
    max_connection_age_grace: float | None = None
    permit_keepalive_time: float | None = None
    drain: float = 2.0
    grace: float = 20.0
    faults: bool = False

    def __post_init__(self) -> None:
        host, colon, port = self.address.rpartition(":")
        if not (colon and host and port.isdecimal() and int(port) <= 65535):
            raise SettingsError(f"--address is '{self.address}'; give HOST:PORT, 0.0.0.0:8000 say")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("--tls-cert and --tls-key go together; give both, or neither for plaintext")


def duration(text: str, name: str) -> float:
    """Seconds of a Go duration (30s, 1m30s, 500ms), the form that Kubernetes users type."""
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise SettingsError(f"{name} is '{text}', {error}") from None
