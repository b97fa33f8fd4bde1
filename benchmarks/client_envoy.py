"""What the sidecar costs: latency over direct channels, CPU, memory. One run, `python -m benchmarks.client_envoy`.

After Envoy's own list of practices for benchmarks (its FAQ, "What are best practices for benchmarking Envoy?"): a
release build, `--concurrency` said, no limit in the way (no retry, no ejection, no overflow), warmed up, both sides
taken in turns, more than one trial, and the config that is deployed, access log included.
"""

import os
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import grpc

from greeter_client.measurement import Measurement
from greeter_client.result import beside, distribution
from helloworld.helloworld_pb2_grpc import GreeterStub
from tests.dns import dns
from tests.envoy import Config, config, envoy
from tests.processes import greeters

MANIFEST = Path(__file__).parent.parent / "client_envoy" / "manifests" / "client.yaml"
TRIALS, CALLS = 3, 5000
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> int:
    """MiB that a process has resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024)


def measure(*, log: bool) -> None:
    """Print what calls through Envoy cost, with and without its access log."""
    with ExitStack() as stack:
        servers = stack.enter_context(greeters(3, module="client_envoy.server"))
        addresses = [address for _, address in servers]
        hosts = [address.rpartition(":")[0] for address in addresses]
        names = stack.enter_context(dns(hosts))
        settings: Config = config(MANIFEST)["static_resources"]
        [endpoint] = settings["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = int(addresses[0].rpartition(":")[2])
        if not log:
            del settings["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]
        running = stack.enter_context(
            envoy({**config(MANIFEST), "static_resources": settings}, names.server, "--concurrency", "1")
        )
        stop = threading.Event()
        channels = [stack.enter_context(grpc.insecure_channel(address)) for address in addresses]
        ours = Measurement(
            [GreeterStub(stack.enter_context(grpc.insecure_channel(f"{running.ip}:9000")))], "you", 5, stop
        )
        direct = Measurement([GreeterStub(channel) for channel in channels], "you", 5, stop)
        ours.warm_up(3, 20)
        for measurement in (ours, direct):
            measurement.count(500)
        ratios, used, took = [], cpu(running.process.pid), time.monotonic()
        for _ in range(TRIALS):
            through, plain = ours.count_beside(direct, CALLS)
            assert all(call.code == "OK" for call in through + plain)
            ratios.append(ratio := beside(through, plain)["ratio"])
            ms = distribution(through) or []
            print(f"  p50 {ms[49]:.2f} ms, {ratio['p50']:.2f} × direct; p99 {ms[98]:.2f} ms, {ratio['p99']:.2f} ×")
        seconds = cpu(running.process.pid) - used
        rate = TRIALS * CALLS / (time.monotonic() - took)
        print(f"  CPU of Envoy: {1000 * seconds / (TRIALS * CALLS):.2f} s per 1,000 calls, at {rate:.0f} calls/s")
        print(f"  memory of Envoy: {memory(running.process.pid)} MiB resident")
        print(f"  p50 ratio, median of {TRIALS}: {statistics.median(ratio['p50'] for ratio in ratios):.2f}")


def main() -> int:
    for log in (True, False):
        print(f"{TRIALS} × {CALLS} calls through the sidecar, access log {'on' if log else 'off'}")
        measure(log=log)
    return 0


if __name__ == "__main__":
    sys.exit(main())
