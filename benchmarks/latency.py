"""What calls cost over a channel to a Service, beside such as go to its servers directly: both in turns, in one run."""

import statistics
import threading
from contextlib import ExitStack

import grpc

from greeter_client.calls import Measurement
from greeter_client.result import beside, distribution
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.services import Service

TRIALS, CALLS, WARM_UP = 3, 5000, 500


def compare(what: str, channel: grpc.Channel, behind: Service) -> int:
    """Print it, once all servers have been reached over the channel and it is warm. How many calls went over it."""
    with ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(f"{host}:{behind.port}")) for host in behind.servers]
        stop = threading.Event()
        ours = Measurement([GreeterStub(channel)], "you", 5, stop)
        direct = Measurement([GreeterStub(each) for each in channels], "you", 5, stop)
        calls = ours.warm_up(len(channels), 20)
        for measurement in (ours, direct):
            measurement.count(WARM_UP)
        print(f"{TRIALS} × {CALLS} calls to {len(channels)} servers: {what}")
        ratios = []
        for _ in range(TRIALS):
            through, plain = ours.count_beside(direct, CALLS)
            assert all(call.code == "OK" for call in through + plain)
            ratios.append(ratio := beside(through, plain)["ratio"])
            ms = distribution(through) or []
            print(f"  p50 {ms[49]:.2f} ms, {ratio['p50']:.2f} × direct; p99 {ms[98]:.2f} ms, {ratio['p99']:.2f} ×")
        p50, p99 = (statistics.median(ratio[cut] for ratio in ratios) for cut in ("p50", "p99"))
        print(f"  median of {TRIALS}: p50 {p50:.2f} ×, p99 {p99:.2f} ×", flush=True)
        return calls + WARM_UP + TRIALS * CALLS
