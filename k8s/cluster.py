"""What the end-to-end tests do to a cluster, all of it with kubectl: whatever KUBECONFIG names."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from compare.job import job
from compare.pods import ready

ROOT = Path(__file__).parent.parent
TIMEOUT = 180.0  # seconds that anything on a cluster may take, unless said otherwise


def kubectl(*args: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run kubectl to its end. Fails with what it printed where its exit code is not among `ok`."""
    done = subprocess.run(["kubectl", *args], input=stdin, capture_output=True, text=True, timeout=TIMEOUT + 60)
    assert done.returncode in ok, f"kubectl {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def until(what: str, check: Callable[[], Any], timeout: float = TIMEOUT, every: float = 0.2) -> Any:
    """The first truthy answer of `check`, asked `every` so many seconds. Fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        time.sleep(every)
    return answer


def manifests(strategy: str, *files: str) -> list[dict[str, Any]]:
    """The objects of a strategy's manifests, for a test to change; all files by default, in kubectl's order."""
    directory = ROOT / strategy / "manifests"
    paths = [directory / file for file in files] or sorted(directory.glob("*.yaml"))
    return [obj for path in paths for obj in yaml.safe_load_all(path.read_text())]


def deployment(objects: Iterable[dict[str, Any]], name: str = "greeter-server") -> dict[str, Any]:
    """The Deployment of this name."""
    return next(obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", name))


def pod_spec(objects: Iterable[dict[str, Any]], name: str = "greeter-server") -> dict[str, Any]:
    """Of a Deployment's pods."""
    spec: dict[str, Any] = deployment(objects, name)["spec"]["template"]["spec"]
    return spec


class Namespace:
    """One demo in a namespace of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *args: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
        return kubectl("--namespace", self.name, *args, stdin=stdin, ok=ok).stdout

    def get(self, *args: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.kubectl("get", *args, "-o", "json"))
        return answer

    def apply_objects(self, objects: Iterable[dict[str, Any]]) -> None:
        """Apply them at once, and wait for nothing."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def apply(self, manifests: Path) -> str:
        """Apply and wait until every Deployment is rolled out; return what the API server warned of."""
        done = kubectl("--namespace", self.name, "apply", "-f", str(manifests))
        self.rolled_out()
        return done.stderr

    def rolled_out(self) -> None:
        for deployment in self.get("deployments")["items"]:
            name = deployment["metadata"]["name"]
            self.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={TIMEOUT:g}s")

    def scale(self, replicas: int, deployment: str = "greeter-server") -> None:
        self.kubectl("scale", f"deployment/{deployment}", f"--replicas={replicas}")

    def ready(self, service: str = "greeter-server") -> set[str]:
        """The addresses that the Service's EndpointSlices list as ready."""
        return set(ready(self.get("endpointslices", "-l", f"kubernetes.io/service-name={service}")["items"]))

    def wait_ready(self, replicas: int) -> set[str]:
        """Wait until exactly so many addresses are ready, and return them."""
        return until(f"{replicas} ready", lambda: found if len(found := self.ready()) == replicas else None)  # type: ignore[no-any-return]

    def gone(self, left: int) -> None:
        """Wait until only so many server pods are left, those that end included."""
        selector = "app.kubernetes.io/component=server"
        until(f"{left} pods", lambda: len(self.get("pods", "-l", selector)["items"]) == left)

    def ask_for(self, fault: str, pod: str, lasting: str) -> None:
        """Have the server at an address break, from a pod of the demo's own making that dials it without balancing."""
        template = self.get("deployment", "greeter-client")["spec"]["template"]
        [client] = template["spec"]["containers"]
        client["args"] = [f"--target={pod}:8000", "--count=1", "--deadline=1s", "--warmup=1ms"]
        client["args"] += [f"--metadata=fault={fault}", f"--metadata=fault-for={lasting}"]
        spec = template["spec"] | {"restartPolicy": "Never", "initContainers": [], "volumes": []}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fault"}, "spec": spec}
        self.kubectl("create", "-f", "-", stdin=json.dumps(body))
        until("the fault", lambda: self.get("pod", "fault")["status"].get("phase") in ("Succeeded", "Failed"))

    def measure(self, *args: str) -> "Measurement":
        """Start the demo's client as a Job: its own pod template, with these flags and --json after its own.

        Returns when it has warmed up and measures.
        """
        self.kubectl("scale", "deployment/greeter-client", "--replicas=0")
        template = self.get("deployment", "greeter-client")["spec"]["template"]
        name = f"measure-{uuid.uuid4().hex[:6]}"
        self.kubectl("create", "-f", "-", stdin=json.dumps(job(name, template, [*args, "--json"])))
        until(f"the start of {name}", lambda: "Measuring" in self.kubectl("logs", f"job/{name}", ok=(0, 1)))
        return Measurement(self, name)


class Measurement:
    """A client that measures, as a Job."""

    def __init__(self, namespace: Namespace, job: str) -> None:
        self._namespace = namespace
        self._job = job

    def result(self) -> dict[str, Any]:
        """Wait for its end and return the JSON it printed. Fails with its log where it failed."""
        until(f"the end of {self._job}", self._ended)
        return self._read(self._namespace.kubectl("logs", f"job/{self._job}", "-c", "client"))

    def stop(self) -> dict[str, Any]:
        """End it by SIGTERM, which lets it print what it has, and return that."""
        pod = f"batch.kubernetes.io/job-name={self._job}"
        logs = subprocess.Popen(
            ["kubectl", "--namespace", self._namespace.name, "logs", "-f", f"job/{self._job}", "-c", "client"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert logs.stdout
        try:
            first = logs.stdout.readline()  # it is followed by now: the log goes with the pod
            self._namespace.kubectl("delete", "pod", "-l", pod)
            rest, _ = logs.communicate(timeout=60)
        finally:
            logs.kill()
            logs.wait()
        return self._read(first + rest)

    def _read(self, log: str) -> dict[str, Any]:
        # Not simply the last line: the runtime adds one of its own where the container goes while its log is followed.
        printed = [line for line in log.splitlines() if line.startswith("{")]
        assert len(printed) == 1, f"{self._job} printed {len(printed)} results, not one:\n{log}"
        result: dict[str, Any] = json.loads(printed[0])
        return result

    def _ended(self) -> bool:
        status = self._namespace.get("job", self._job)["status"]
        return any(c["type"] in ("Complete", "Failed") for c in status.get("conditions", ()) if c["status"] == "True")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new namespace that enforces Pod Security `restricted`; deleted in the end, whatever happened."""
    name = f"greeter-e2e-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kubectl("create", "-f", "-", stdin=json.dumps(body))
    try:
        yield Namespace(name)
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
        # A drain of 35 s teaches nobody here any more.
        kubectl("--namespace", name, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")
