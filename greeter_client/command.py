"""Runs a client: says what it will do, does it until done or told to stop, prints what was measured."""

import argparse
import json
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc

from greeter_client.calls import Measurement, greet
from greeter_client.flags import misfit
from greeter_client.result import beside, describe, summarize
from greeter_client.streams import Streams
from helloworld import helloworld_pb2_grpc

INTERVAL = 1.0  # seconds
WARMUP = 2.0  # seconds


OpenChannel = Callable[[str], grpc.Channel]


def run(
    channel: grpc.Channel,
    flags: argparse.Namespace,
    *,
    policy: str,
    open_direct: OpenChannel = grpc.insecure_channel,
) -> int:
    """Use the channel as the flags say and return the exit code; `open_direct` opens those of --direct to one pod each.

    It is 1 where calls, or streams, were made and every one failed, and 2 where the flags do not go together.
    """
    if problem := misfit(flags):
        print(f"greeter_client: {problem}", file=sys.stderr)
        return 2
    stop = stopped_by_signal()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # | head has seen enough: the end, as of any command
    if not flags.json:
        print(f"Will use {policy} load balancing policy", flush=True)
        print(f"Creating channel with target {flags.target}", flush=True)
    with channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        interval = INTERVAL if flags.interval is None else flags.interval
        if flags.count is None and flags.duration is None and not flags.streams:
            greet_on(stub, flags.name, flags.deadline, interval, stop)
            return 0
        measurement = Measurement([stub], flags.name, flags.deadline, stop, flags.metadata)
        warmup_calls = measurement.warm_up(flags.backends or 1, flags.warmup or WARMUP)
        print(f"Measuring, after {warmup_calls} calls to warm up", file=sys.stderr, flush=True)
        result = {"target": flags.target, "policy": policy, "warmup_calls": warmup_calls}
        if flags.streams:
            streams = Streams(stub, flags.name, interval, flags.count, stop, flags.metadata)
            result["streams"] = streams.run(flags.streams, talk=not flags.json)
            failed = all(stream["code"] != "OK" and not stream["messages"] for stream in result["streams"])
        else:
            result |= _measure(measurement, flags, stop, open_direct)
            failed = result["calls"] > 0 and not result["backends"]
        if flags.json:
            print(json.dumps(result), flush=True)
        elif not flags.streams:
            print(describe(result), flush=True)
    return int(failed)


def _measure(
    measurement: Measurement, flags: argparse.Namespace, stop: threading.Event, open_direct: OpenChannel
) -> dict[str, Any]:
    backends = flags.backends or 0
    if flags.duration is not None:
        return summarize(measurement.during(flags.duration, flags.rate), backends)
    if flags.parallel > 1:
        return summarize(measurement.count_parallel(flags.count, flags.parallel), backends)
    if not flags.direct:
        return summarize(measurement.count(flags.count), backends)
    with ExitStack() as stack:
        plain = [stack.enter_context(open_direct(address)) for address in flags.direct]
        stubs = [helloworld_pb2_grpc.GreeterStub(channel) for channel in plain]
        direct = Measurement(stubs, flags.name, flags.deadline, stop)
        direct.warm_up(len(stubs), flags.warmup or WARMUP)
        ours, theirs = measurement.count_beside(direct, flags.count)
    return summarize(ours, backends) | {"direct": {"addresses": flags.direct} | beside(ours, theirs)}


def greet_on(
    stub: helloworld_pb2_grpc.GreeterStub, name: str, deadline: float, interval: float, stop: threading.Event
) -> None:
    """Call every `interval` seconds until `stop`; a failure is printed with its reason, and the next call made."""
    while not stop.is_set():
        call = greet(stub, name, deadline)
        if call.code == "OK":
            print(f"Greeting: {call.details} (Backend IP: {call.backend})", flush=True)
        else:
            print(f"No answer: {call.code}: {call.details}; trying again in {interval:g}s", flush=True)
        stop.wait(interval)


def stopped_by_signal() -> threading.Event:
    """An Event that SIGTERM or SIGINT sets; to be called in the main thread.

    A thread sets it, for a handler interrupts the main thread anywhere: there it would wait for ever for the Event's
    lock where the main thread holds it just then. A SimpleQueue has no such lock (Python's library reference, `queue`).
    """
    stop = threading.Event()
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        received.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _: received.put(number))
    return stop
