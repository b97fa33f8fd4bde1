"""The sidecar picks: a plain channel to an Envoy in the same pod, which picks a backend for every call.

Nothing of it is in the client: any gRPC client of any language that dials this address is balanced the same way.
"""

import sys

import grpc

import greeter_client


def open_channel(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target)


def main() -> int:
    flags = greeter_client.parser(__doc__, default_target="localhost:9000").parse_args()
    return greeter_client.run(open_channel(flags.target), flags, policy="pick_first")


if __name__ == "__main__":
    sys.exit(main())
