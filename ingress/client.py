"""The edge picks: one channel with TLS to the cluster's edge, whose proxy spreads the calls over the pods.

The client knows a host name, and who may vouch for it. Where DNS doesn't have that name, --connect says where the edge
is: the certificate is checked, and calls are routed, by the target's host all the same.
"""

import sys
from pathlib import Path

import grpc

import greeter_client


def open_channel(target: str, ca: bytes | None = None, connect: str = "") -> grpc.Channel:
    """`connect` is IP or IP:PORT, by default with the target's port; without `ca`, gRPC's own list is trusted."""
    options: list[tuple[str, str]] = []
    if connect:
        host, _, port = target.rpartition("/")[2].rpartition(":")
        options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
        target = connect if ":" in connect else f"{connect}:{port}"
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca), options)


def main() -> int:
    parser = greeter_client.parser(__doc__, default_target="grpctest.dev.example.com:443")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="whom to trust: ca.crt say (default: gRPC's own list)")
    parser.add_argument(
        "--connect", default="", metavar="IP[:PORT]", help="the edge, where DNS doesn't have the target"
    )
    parser.add_argument("--direct-tls", action="store_true", help="the pods of --direct terminate TLS themselves")
    flags = parser.parse_args()
    try:
        ca = flags.ca.read_bytes() if flags.ca else None
    except OSError as error:
        parser.error(f"--ca {flags.ca}: {error.strerror}; give the PEM file of the CA that vouches for the edge")

    def open_direct(address: str) -> grpc.Channel:
        return open_channel(flags.target, ca, address) if flags.direct_tls else grpc.insecure_channel(address)

    channel = open_channel(flags.target, ca, flags.connect)
    return greeter_client.run(channel, flags, policy="pick_first", open_direct=open_direct)


if __name__ == "__main__":
    sys.exit(main())
