"""What a lab costs: the time until it serves, until a pod is Ready, until nothing is left; memory. `make bench`"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogue import ROOT

ROUNDS = 5


@contextmanager
def lab() -> Iterator[tuple["subprocess.Popen[str]", str, float]]:
    """A lab, its kubeconfig, and the seconds until API and DNS answered."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        kubeconfig = process.stdout.readline().strip().partition("=")[2]
        yield process, kubeconfig, time.monotonic() - began
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
    return own + sum(map(proportional_memory, children(pid)))


def children(pid: int) -> set[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {int(child) for thread in threads for child in (thread / "children").read_text().split()}


def descendants(pid: int) -> set[int]:
    found = children(pid)
    return found.union(*map(descendants, found))


def runs(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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


def gone_after(number: signal.Signals) -> float:
    """Seconds from a signal to a lab with three pods until none of its processes is left."""
    with lab() as (process, kubeconfig, _):
        for name in ("a", "b", "c"):
            ready_after(kubeconfig, name)
        left = descendants(process.pid)
        began = time.monotonic()
        process.send_signal(number)
        process.wait()
        while left := {pid for pid in left if runs(pid)}:
            time.sleep(0.01)
        return time.monotonic() - began


INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web"},
    "spec": {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}


def served_after(kubeconfig: str) -> float:
    """Seconds from kubectl's create of the first Ingress to its address: the controller and nginx start meanwhile."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as manifest:
        json.dump(INGRESS, manifest)
        manifest.flush()
        began = time.monotonic()
        kubectl(kubeconfig, "create", "-f", manifest.name)
        kubectl(kubeconfig, "wait", "--for=jsonpath={.status.loadBalancer.ingress}", "ingress/web", "--timeout=30s")
        return time.monotonic() - began


def main() -> None:
    starts = []
    for _ in range(ROUNDS):
        with lab() as (_, _, seconds):
            starts.append(seconds)
    with lab() as (process, kubeconfig, _):
        idle = proportional_memory(process.pid)
        readies = [ready_after(kubeconfig, f"pod-{number}") for number in range(ROUNDS)]
        each = (proportional_memory(process.pid) - idle) / ROUNDS
    with lab() as (process, kubeconfig, _):
        served = served_after(kubeconfig)
        with_edge = proportional_memory(process.pid)
    ends = {number: [gone_after(number) for _ in range(ROUNDS)] for number in (signal.SIGINT, signal.SIGKILL)}
    print(f"lab start until API and DNS answer: {statistics.median(starts):.2f} s (median of {ROUNDS})")
    print(f"pod created until Ready, by kubectl: {statistics.median(readies):.2f} s (median of {ROUNDS})")
    print(f"nothing is left of it and 3 pods after Ctrl-C: {statistics.median(ends[signal.SIGINT]):.2f} s")
    print(f"nothing is left of it and 3 pods after kill -9: {statistics.median(ends[signal.SIGKILL]):.2f} s")
    print(f"memory of an idle lab: {idle:.0f} MiB; of each greeter pod: {each:.0f} MiB (proportional set size)")
    print(
        f"first Ingress created until it has its address: {served:.2f} s; memory of a lab with it: {with_edge:.0f} MiB"
    )


if __name__ == "__main__":
    main()
