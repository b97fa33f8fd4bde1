"""Waits until a server is ready: what a client's init container runs, so that all can be applied at once.

A client that asks DNS for a headless Service before any of its pods is ready is told that there is no such name, and
the cluster's DNS keeps that answer for half a minute. So this dials a ClusterIP of the same pods, whose name is there
as soon as the Service is, or almost: who asks before the cluster's DNS has heard of a new Service waits until that
answer has expired. It waits for so long and no longer: clients must be able to start while servers are down.
"""

import argparse
import sys
import time

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from greeter_client.command import stopped_by_signal
from greeter_client.flags import seconds, target

PAUSE = 1.0  # seconds between two questions
ANSWER = 3.0  # seconds that the answer to one may take, connecting included


def main() -> int:
    flags = argparse.ArgumentParser("greeter_client.wait", description="Wait until a server says SERVING.")
    flags.add_argument("--target", type=target, required=True, help="of a ClusterIP: greeter-server-ready:8000 say")
    flags.add_argument("--timeout", type=seconds, default="60s", metavar="TIME", help="at most (default %(default)s)")
    arguments = flags.parse_args()
    stop = stopped_by_signal()
    end, said = time.monotonic() + arguments.timeout, "nothing"
    print(f"Waiting for a server at {arguments.target}, for {arguments.timeout:g}s at most", flush=True)
    while (left := end - time.monotonic()) > 0 and not stop.is_set():
        # A channel each: one that was told of no such name asks DNS again after pauses that grow to 40 s and more.
        with grpc.insecure_channel(arguments.target) as channel:
            try:
                status = HealthStub(channel).Check(HealthCheckRequest(), timeout=min(ANSWER, left)).status
                said = HealthCheckResponse.ServingStatus.Name(status)
            except grpc.RpcError as error:
                said = f"{error.code().name}: {error.details()}"
        if said == "SERVING":
            print(f"A server at {arguments.target} is ready", flush=True)
            return 0
        stop.wait(PAUSE)
    print(f"No server at {arguments.target} was ready in {arguments.timeout:g}s (last: {said}); going on", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
