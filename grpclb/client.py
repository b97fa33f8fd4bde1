"""A balancer tells the client: it asks DNS who balances its name, and that one says where to call, at every change.

The addresses that DNS has of the name itself are its fallback, for when no balancer answers.
"""

import json
import sys

import grpc

import greeter_client

SERVICE_CONFIG: dict[str, list[object]] = {"loadBalancingConfig": [{"grpclb": {"childPolicy": [{"round_robin": {}}]}}]}


def open_channel(target: str, fallback_timeout_ms: int = 1000, stream_timeout_ms: int = 30_000) -> grpc.Channel:
    return grpc.insecure_channel(
        target,
        options=[
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.dns_enable_srv_queries", 1),  # asks SRV _grpclb._tcp.NAME too; without it there is never a balancer
            ("grpc.grpclb_fallback_timeout_ms", fallback_timeout_ms),  # gRPC's default: 10000
            # Begin the balancer's stream anew so often, and ask DNS for it. By default that is never: a client whose
            # balancer is gone, while DNS still has its address in a cache, waits at that address for ever.
            ("grpc.grpclb_call_timeout_ms", stream_timeout_ms),
            ("grpc.dns_min_time_between_resolutions_ms", 1000),  # gRPC's default: 30000
        ],
    )


def main() -> int:
    parser = greeter_client.parser(__doc__)
    for flag, default, what in (
        ("--fallback-timeout", "1s", "without a balancer's list for so long, use the addresses in DNS"),
        ("--stream-timeout", "30s", "begin the balancer's stream anew so often"),
    ):
        parser.add_argument(
            flag, type=greeter_client.milliseconds, default=default, metavar="TIME", help=f"{what} (default {default})"
        )
    flags = parser.parse_args()
    channel = open_channel(flags.target, flags.fallback_timeout, flags.stream_timeout)
    return greeter_client.run(channel, flags, policy="grpclb")


if __name__ == "__main__":
    sys.exit(main())
