"""Certificates that tests make: as a Secret's data, as they are served, and channels that check them."""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import trustme


def secret_data(certificate: trustme.LeafCert) -> dict[str, str]:
    """What a Secret of the type kubernetes.io/tls holds of it."""
    pems = {"tls.crt": certificate.cert_chain_pems[0], "tls.key": certificate.private_key_pem}
    return {key: base64.b64encode(pem.bytes()).decode() for key, pem in pems.items()}


def der(certificate: trustme.LeafCert) -> bytes:
    """As `served` gives it."""
    return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())


def served(address: str, host: str) -> bytes:
    """The certificate, in DER, that is served at IP:PORT to whoever asks for this host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ip, _, port = address.partition(":")
    with (
        socket.create_connection((ip, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


@contextmanager
def channel(address: str, host: str, ca: bytes) -> Iterator[grpc.Channel]:
    """To IP:PORT, for a host, trusting a CA (PEM): as ingress.client opens it."""
    options: list[tuple[str, str | int]] = [
        ("grpc.ssl_target_name_override", host),
        ("grpc.default_authority", host),
        # A subchannel that another channel has opened waits before it connects again.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_reconnect_backoff_ms", 500),
    ]
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(ca), options) as opened:
        yield opened
