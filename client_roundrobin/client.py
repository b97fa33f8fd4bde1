"""The client picks: it asks DNS for every pod of a headless Service, connects to all, and takes turns call by call.

It is not told of new pods: it asks DNS again only when a connection ends. So the server ends connections now and then
(--max-connection-age), and the client may not be too patient between two questions (--dns-cooldown).
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


def open_channel(target: str, dns_cooldown_ms: int = 1000, keepalive_ms: int | None = None) -> grpc.Channel:
    options = [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        ("grpc.dns_min_time_between_resolutions_ms", dns_cooldown_ms),  # gRPC's default: 30000
    ]
    if keepalive_ms:  # gRFC A8; to servers that permit it only: others end connections that ping so often
        options += [
            ("grpc.keepalive_time_ms", keepalive_ms),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),  # or a silent stream's pings stop after two
            ("grpc.keepalive_timeout_ms", 2000),
            ("grpc.http2.ping_timeout_ms", 2000),  # C-core's own, 60 s by default, and it wins
        ]
    return grpc.insecure_channel(target, options=options)


def main() -> int:
    parser = greeter_client.parser(__doc__)
    parser.add_argument(
        "--dns-cooldown",
        type=greeter_client.milliseconds,
        default="1s",
        metavar="TIME",
        help="at least this long between two questions to DNS (default %(default)s)",
    )
    parser.add_argument(
        "--keepalive",
        type=greeter_client.milliseconds,
        metavar="TIME",
        help="ping each connection so often, and leave one that is silent for 2s: 10s say (default: never)",
    )
    flags = parser.parse_args()
    channel = open_channel(flags.target, flags.dns_cooldown, flags.keepalive)
    return greeter_client.run(channel, flags, policy="round_robin")


if __name__ == "__main__":
    sys.exit(main())
