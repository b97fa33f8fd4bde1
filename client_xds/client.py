"""A control plane tells the client, by xDS: where to call, how to share calls out, and what more its resources say.

The target names a Service, `xds:///greeter-server`. Whom gRPC asks about it stands in the bootstrap file that
GRPC_XDS_BOOTSTRAP names. Without a scheme, the target is an Envoy beside the client, which asks in its place.
"""

import argparse
import sys
from pathlib import Path

import grpc
import grpc.experimental

import greeter_client
from client_xds import csds


def open_channel(target: str) -> grpc.Channel:
    """TLS where the control plane says so (gRFC A29), else plaintext."""
    plaintext = grpc.experimental.insecure_channel_credentials()  # type: ignore[no-untyped-call]
    return grpc.secure_channel(target, grpc.xds_channel_credentials(plaintext))


def open_direct(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """To one pod past xDS, to compare with. Its certificate has the name of its Service, too."""
    if not credentials:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", "greeter-server")])


def certified(directory: str) -> grpc.ChannelCredentials:
    """By the certificate in a directory, as a Secret of client_xds/certificates.py is mounted; the type of a flag."""
    try:
        return grpc.ssl_channel_credentials(
            *((Path(directory) / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
        )
    except OSError as error:
        remedy = "name the directory of ca.crt, tls.key and tls.crt"
        raise argparse.ArgumentTypeError(f"{directory}: {error.strerror}; {remedy}") from error


def main() -> int:
    parser = greeter_client.parser(__doc__, default_target="xds:///greeter-server")
    add = parser.add_argument
    add("--admin-address", type=csds.serve, metavar="HOST:PORT", help="serve CSDS there: 127.0.0.1:9901 say")
    add("--direct-tls", type=certified, metavar="DIR", help="the pods of --direct want mTLS: with these files")
    flags = parser.parse_args()
    channel = open_channel(flags.target)
    return greeter_client.run(channel, flags, policy="xds", open_direct=lambda pod: open_direct(pod, flags.direct_tls))


if __name__ == "__main__":
    sys.exit(main())
