"""What the sidecar costs: latency over direct channels, CPU, memory, and what its health checks cost the servers.

One run, `python -m benchmarks.client_envoy`.

After Envoy's own list of practices for benchmarks (its FAQ, "What are best practices for benchmarking Envoy?"): a
release build, `--concurrency` said, no limit in the way (no retry, no ejection, no overflow), warmed up, both sides
taken in turns, more than one trial, and the config that is deployed, access log included.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import grpc

from benchmarks.usage import cpu, memory
from greeter_client.calls import Measurement
from greeter_client.result import beside, distribution
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.client_envoy import as_it_is, cluster, pods, stats
from testing.envoy import Config

TRIALS, CALLS = 3, 5000
SECONDS = 20  # of health checks


def without_log(config: Config) -> None:
    del config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]


def measure(change: Callable[[Config], None]) -> None:
    """Print what calls through Envoy cost, with the manifest's config as `change` leaves it."""
    with ExitStack() as stack:
        running = stack.enter_context(pods(3, change=change))
        pid, stop = running.envoy.process.pid, threading.Event()
        channels = [stack.enter_context(grpc.insecure_channel(f"{host}:{running.port}")) for host in running.servers]
        ours = Measurement([GreeterStub(stack.enter_context(running.channel()))], "you", 5, stop)
        direct = Measurement([GreeterStub(channel) for channel in channels], "you", 5, stop)
        ours.warm_up(3, 20)
        for measurement in (ours, direct):
            measurement.count(500)
        ratios, used, took = [], cpu(pid), time.monotonic()
        for _ in range(TRIALS):
            through, plain = ours.count_beside(direct, CALLS)
            assert all(call.code == "OK" for call in through + plain)
            ratios.append(ratio := beside(through, plain)["ratio"])
            ms = distribution(through) or []
            print(f"  p50 {ms[49]:.2f} ms, {ratio['p50']:.2f} × direct; p99 {ms[98]:.2f} ms, {ratio['p99']:.2f} ×")
        seconds = cpu(pid) - used
        rate = TRIALS * CALLS / (time.monotonic() - took)
        print(f"  CPU of Envoy: {1000 * seconds / (TRIALS * CALLS):.2f} s per 1,000 calls, at {rate:.0f} calls/s")
        print(f"  memory of Envoy: {memory(pid):.0f} MiB resident")
        print(f"  p50 ratio, median of {TRIALS}: {statistics.median(ratio['p50'] for ratio in ratios):.2f}")


def often(config: Config) -> None:
    [check] = cluster(config)["health_checks"]
    check["interval"] = check["no_traffic_interval"] = "0.01s"


def measure_checks() -> None:
    """Print what health checks cost who is asked and who asks."""
    with pods(3, change=often) as running:

        def spent() -> tuple[int, float, float]:
            checks = stats(running.envoy)["cluster.greeter-server.health_check.success"]
            return checks, sum(cpu(server.pid) for server in running.servers.values()), cpu(running.envoy.process.pid)

        before = spent()
        time.sleep(SECONDS)
        checks, asked, asking = (after - earlier for after, earlier in zip(spent(), before, strict=True))
    print(f"{checks / SECONDS / 3:.0f} health checks a second of each of 3 servers")
    print(f"  CPU of servers: {1000 * asked / checks:.2f} s per 1,000 checks; of Envoy: {1000 * asking / checks:.2f} s")


def main() -> int:
    measure_checks()
    for change, log in ((as_it_is, "on"), (without_log, "off")):
        print(f"{TRIALS} × {CALLS} calls through the sidecar, access log {log}")
        measure(change)
    return 0


if __name__ == "__main__":
    sys.exit(main())
