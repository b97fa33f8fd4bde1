"""One call, and what became of it."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc

from helloworld import helloworld_pb2, helloworld_pb2_grpc

# What the server tells back of gRFC A6's metadata: how often a retryPolicy had tried before the attempt it answered.
PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"
# How many attempts an Envoy on the way has made (include_attempt_count_in_response).
ENVOY_ATTEMPTS = "x-envoy-attempt-count"


class Call(NamedTuple):
    """Times in seconds; `start` since the epoch."""

    start: float
    latency: float
    code: str  # a grpc.StatusCode's name
    backend: str  # its address, "" where the call failed
    attempts: int  # a failed call that no server answered counts as one
    details: str


def greet(
    stub: helloworld_pb2_grpc.GreeterStub, name: str, deadline: float, metadata: Sequence[tuple[str, str]] = ()
) -> Call:
    """Make one call; failures are returned, not raised."""
    request = helloworld_pb2.HelloRequest(name=name)
    start, began = time.time(), time.perf_counter()
    try:
        reply, rpc = stub.SayHello.with_call(request, timeout=deadline, metadata=tuple(metadata))
    except grpc.RpcError as error:
        latency = time.perf_counter() - began
        return Call(start, latency, error.code().name, "", _attempts(error), error.details() or "")
    latency = time.perf_counter() - began
    return Call(start, latency, "OK", reply.backend_ip, _attempts(rpc), reply.message)


def _attempts(rpc: Any) -> int:  # a finished call, or the error that it is when it failed
    told = {**dict(rpc.initial_metadata() or ()), **dict(rpc.trailing_metadata() or ())}  # a failure has trailers only
    return int(told.get(PREVIOUS_ATTEMPTS, 0)) + int(told.get(ENVOY_ATTEMPTS, 1))
