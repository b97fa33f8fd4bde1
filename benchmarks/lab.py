"""What a lab costs: the time until it serves, the time until a pod is Ready, memory. `make bench`"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROUNDS = 5
ROOT = Path(__file__).parent.parent


@contextmanager
def lab() -> Iterator[tuple[int, str, float]]:
    """A lab: its pid, its kubeconfig, and the seconds until API and DNS answered."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        kubeconfig = process.stdout.readline().strip().partition("=")[2]
        yield process.pid, kubeconfig, time.monotonic() - began
    finally:
        process.terminate()
        process.communicate()


def kubectl(kubeconfig: str, *args: str) -> str:
    environment = os.environ | {"KUBECONFIG": kubeconfig}
    return subprocess.run(["kubectl", *args], env=environment, check=True, capture_output=True, text=True).stdout


def proportional_memory(pid: int) -> float:
    """MiB of a process and all its descendants, shared pages counted in parts (Pss of proc(5))."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = {int(child) for thread in threads for child in (thread / "children").read_text().split()}
    return own + sum(map(proportional_memory, children))


def pod(name: str) -> dict[str, object]:
    container = {
        "name": "server",
        "image": "greeter:dev",
        "command": ["python", "-m", "greeter_server"],
        "args": ["--address=0.0.0.0:8000", "--drain=0s"],
        "readinessProbe": {"grpc": {"port": 8000}, "periodSeconds": 1},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


def ready_after(kubeconfig: str, name: str) -> float:
    """Seconds from kubectl's create to kubectl's seeing it Ready, both their starts included."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as manifest:
        json.dump(pod(name), manifest)
        manifest.flush()
        began = time.monotonic()
        kubectl(kubeconfig, "create", "-f", manifest.name)
        kubectl(kubeconfig, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
        return time.monotonic() - began


def main() -> None:
    starts = []
    for _ in range(ROUNDS):
        with lab() as (_, _, seconds):
            starts.append(seconds)
    with lab() as (pid, kubeconfig, _):
        idle = proportional_memory(pid)
        readies = [ready_after(kubeconfig, f"pod-{number}") for number in range(ROUNDS)]
        each = (proportional_memory(pid) - idle) / ROUNDS
    print(f"lab start until API and DNS answer: {statistics.median(starts):.2f} s (median of {ROUNDS})")
    print(f"pod created until Ready, by kubectl: {statistics.median(readies):.2f} s (median of {ROUNDS})")
    print(f"memory of an idle lab: {idle:.0f} MiB; of each greeter pod: {each:.0f} MiB (proportional set size)")


if __name__ == "__main__":
    main()
