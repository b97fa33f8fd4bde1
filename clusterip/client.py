"""A plain channel, as everybody opens it first: gRPC's default policy, pick_first, on the Service's one address.

Nobody picks a backend for a call. kube-proxy picks a pod for the connection, once, and gRPC keeps the connection.
"""

import sys

import grpc

import greeter_client


def open_channel(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target)


def main() -> int:
    flags = greeter_client.parser(__doc__).parse_args()
    return greeter_client.run(open_channel(flags.target), flags, policy="pick_first")


if __name__ == "__main__":
    sys.exit(main())
