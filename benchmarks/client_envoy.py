"""What the sidecar costs: latency over direct channels, CPU, memory, and what its health checks cost the servers.

One run, `python -m benchmarks.client_envoy`.

After Envoy's own list of practices for benchmarks (its FAQ, "What are best practices for benchmarking Envoy?"): a
release build, `--concurrency` said, no limit in the way (no retry, no ejection, no overflow), warmed up, both sides
taken in turns, more than one trial, and the config that is deployed, access log included.
"""

import sys
import time
from collections.abc import Callable

from benchmarks.latency import compare
from benchmarks.usage import cpu, memory
from testing.client_envoy import as_it_is, cluster, pods, stats
from testing.envoy import Config

SECONDS = 20  # of health checks


def without_log(config: Config) -> None:
    del config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]


def measure(log: str, change: Callable[[Config], None]) -> None:
    """Print what calls through Envoy cost, with the manifest's config as `change` leaves it."""
    with pods(3, change=change) as running, running.channel() as channel:
        pid = running.envoy.process.pid
        used, took = cpu(pid), time.monotonic()
        calls = compare(f"through the sidecar, access log {log}", channel, running)
        seconds = cpu(pid) - used
        rate = calls / (time.monotonic() - took)
        print(f"  CPU of Envoy: {1000 * seconds / calls:.2f} s per 1,000 calls, at {rate:.0f} calls/s")
        print(f"  memory of Envoy: {memory(pid):.0f} MiB resident")


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
        measure(log, change)
    return 0


if __name__ == "__main__":
    sys.exit(main())
