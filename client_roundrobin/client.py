"""The client picks: it asks DNS for every pod of a headless Service, connects to all, and takes turns call by call.

It is not told of new pods: it asks DNS again only when a connection ends. So the server ends connections now and then
(server.py), and the client may not be too patient between two questions (--dns-cooldown).
"""

import json
import sys

import grpc

import greeter_client

SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    # Only pods that say SERVING get calls (gRFC A17): a pod told to stop is left alone before it hangs up.
    "healthCheckConfig": {"serviceName": "helloworld.Greeter"},
    # No retryPolicy: a connection that is lost ends its calls with UNAVAILABLE, also those that a handler has begun
    # (gRFC A6). What never reached a server, gRPC sends again by itself.
}


def open_channel(target: str, dns_cooldown_ms: int = 1000) -> grpc.Channel:
    return grpc.insecure_channel(
        target,
        options=[
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.dns_min_time_between_resolutions_ms", dns_cooldown_ms),  # gRPC's default: 30000
        ],
    )


def main() -> int:
    parser = greeter_client.parser(__doc__)
    parser.add_argument(
        "--dns-cooldown",
        type=greeter_client.milliseconds,
        default="1s",
        metavar="TIME",
        help="at least this long between two questions to DNS (default %(default)s)",
    )
    flags = parser.parse_args()
    return greeter_client.run(open_channel(flags.target, flags.dns_cooldown), flags, policy="round_robin")


if __name__ == "__main__":
    sys.exit(main())
