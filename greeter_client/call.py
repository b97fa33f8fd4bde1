"""One call, and what became of it."""

import time
from typing import Any, NamedTuple

import grpc

from helloworld import helloworld_pb2, helloworld_pb2_grpc

# What the server tells back of gRFC A6's metadata: how often a retryPolicy had tried before the attempt it answered.
PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"


class Call(NamedTuple):
    """Times in seconds; `start` since the epoch."""

    start: float
    latency: float
    code: str  # a grpc.StatusCode's name
    backend: str  # its address, "" where the call failed
    attempts: int  # a failed call that no server answered counts as one
    details: str


def greet(stub: helloworld_pb2_grpc.GreeterStub, name: str, deadline: float) -> Call:
    """Make one call; failures are returned, not raised."""
    start, began = time.time(), time.perf_counter()
    try:
        reply, rpc = stub.SayHello.with_call(helloworld_pb2.HelloRequest(name=name), timeout=deadline)
    except grpc.RpcError as error:
        latency = time.perf_counter() - began
        return Call(start, latency, error.code().name, "", _attempts(error), error.details() or "")
    latency = time.perf_counter() - began
    return Call(start, latency, "OK", reply.backend_ip, _attempts(rpc), reply.message)


def _attempts(rpc: Any) -> int:  # a finished call, or the error that it is when it failed
    trailers = dict(rpc.trailing_metadata() or ())
    return 1 + int(trailers.get(PREVIOUS_ATTEMPTS, 0))
