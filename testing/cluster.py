"""The cluster that KUBECONFIG names, for plain blocking tests: kubectl as users run it, and compare's measurements."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal
from dnslib import DNSRecord

from catalogue import ROOT, Demo
from compare.api import Object
from compare.connection import connect
from compare.job import Measurement, measuring
from compare.namespace import CLIENT, COMPONENT, SERVER, Namespace
from compare.pods import ready
from testing.processes import wait_until

TIMEOUT = 180.0  # seconds that anything on a cluster may take, unless said otherwise


def kubectl(*args: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run kubectl to its end. Fails with what it printed where its exit code is not among `ok`."""
    done = subprocess.run(["kubectl", *args], input=stdin, capture_output=True, text=True, timeout=TIMEOUT + 60)
    assert done.returncode in ok, f"kubectl {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def until(what: str, check: Callable[[], Any], timeout: float = TIMEOUT, every: float = 1.0) -> Any:
    """`wait_until` with a cluster's patience, and not in haste: many ask by kubectl."""
    return wait_until(what, check, timeout, every)


def manifests(strategy: str, *files: str) -> list[Object]:
    """The objects of a strategy's manifests, for a test to change; all files by default, in kubectl's order."""
    directory = ROOT / strategy / "manifests"
    paths = [directory / file for file in files] or sorted(directory.glob("*.yaml"))
    return [obj for path in paths for obj in yaml.safe_load_all(path.read_text())]


def deployment(objects: Iterable[Object], name: str = SERVER) -> Object:
    """The Deployment of this name."""
    return next(obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", name))


def pod_spec(objects: Iterable[Object], name: str = SERVER) -> Object:
    """Of a Deployment's pods."""
    spec: Object = deployment(objects, name)["spec"]["template"]["spec"]
    return spec


class Measuring:
    """A client that measures meanwhile: compare's, which is asynchronous, for plain code."""

    def __init__(self, measurement: Measurement, portal: BlockingPortal) -> None:
        self._measurement = measurement
        self._portal = portal

    def result(self) -> dict[str, Any]:
        """Wait for its end and return what it printed."""
        return self._portal.call(self._measurement.result, TIMEOUT)

    def stop(self) -> dict[str, Any]:
        """End it by SIGTERM, upon which it prints what it has; return that."""
        return self._portal.call(self._measurement.stop)


def stop(clients: Sequence[Measuring]) -> tuple[int, int, list[dict[str, Any]]]:
    """End all at once. How many attempts failed in all, of how many; and the result of each."""
    with ThreadPoolExecutor(len(clients)) as pool:
        results = list(pool.map(Measuring.stop, clients))
    return sum(r["failed_attempts"] for r in results), sum(r["attempts"] for r in results), results


class OwnNamespace:
    """A namespace of the test's own: compare's, and kubectl in it."""

    def __init__(self, namespace: Namespace, portal: BlockingPortal, stack: ExitStack) -> None:
        self.name = namespace.name
        self._namespace = namespace
        self._portal = portal
        self._stack = stack
        self._demo: Demo | None = None

    def own(self, demo: Demo) -> Demo:
        """The demo, prepared for this namespace, with host names of its own: all namespaces share a cluster's edge.

        Skips where the cluster hasn't what it needs.
        """
        if lacking := self._portal.call(self._namespace.lacks, demo):
            pytest.skip(f"this cluster has no {lacking}")
        strategy = demo.name.partition("/")[0]
        copy = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / strategy
        shutil.copytree(ROOT / strategy, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for file in copy.glob("manifests/**/*.yaml"):
            file.write_text(re.sub(r"\bgrpcs?test(?=\.dev\.)", self.name, file.read_text()))
        self._demo = replace(demo, manifests=copy / demo.manifests.relative_to(ROOT / strategy))
        self._portal.call(self._namespace.adjust, self._demo)
        self._portal.call(self._namespace.prepare, self._demo)
        return self._demo

    def edge(self) -> str:
        """The address of its own demo's Ingress or Gateway, once it has one; "" without."""
        if self._demo:
            self._portal.call(self._namespace.find_edge, self._demo)
        return self._namespace.edge

    def kubectl(self, *args: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
        return kubectl("--namespace", self.name, *args, stdin=stdin, ok=ok).stdout

    def get(self, *args: str) -> Object:
        answer: Object = json.loads(self.kubectl("get", *args, "-o", "json"))
        return answer

    def apply_objects(self, objects: Iterable[Object]) -> None:
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

    def scale(self, replicas: int, deployment: str = SERVER) -> None:
        self.kubectl("scale", f"deployment/{deployment}", f"--replicas={replicas}")

    def pods(self, component: str) -> list[Object]:
        """Of a component: server, client."""
        return self._list(self._namespace.path("pods"), f"{COMPONENT}={component}")

    def addresses(self, component: str) -> set[str]:
        """Of a component's pods."""
        return {pod["status"]["podIP"] for pod in self.pods(component) if "podIP" in pod["status"]}

    def replace(self, *components: str) -> None:
        """Restart these at once; return when every pod that they had is gone."""
        old = {component: self.addresses(component) for component in components}
        for component in components:
            self.kubectl("rollout", "restart", f"deployment/greeter-{component}")
        until(f"the end of {old}", lambda: not any(pods & self.addresses(component) for component, pods in old.items()))

    def take_away(self, component: str) -> None:
        """All its pods; return when they are gone."""
        self.scale(0, f"greeter-{component}")
        until(f"no {component}", lambda: not self.addresses(component))

    def granted(self, account: str) -> list[list[str]]:
        """What a ServiceAccount may do that not everybody may: the words of `kubectl auth can-i --list`, by row.

        Skips where everybody may do everything.
        """
        listed = self.kubectl("auth", "can-i", "--list", f"--as=system:serviceaccount:{self.name}:{account}")
        if "*.*" in listed:
            pytest.skip("this cluster lets everybody do everything (the lab does)")
        rows = [line.split() for line in listed.splitlines()[1:]]
        return sorted(row for row in rows if not row[0].startswith(("selfsubject", "[")))

    def _list(self, path: str, selector: str) -> list[Object]:
        """Of the API itself, which is asked again and again: each kubectl takes a fifth of a second of a core."""
        listed: Object = self._portal.call(partial(self._namespace.api.get, path, labelSelector=selector))
        items: list[Object] = listed["items"]
        return items

    def log_of(self, address: str) -> str:
        """What the server at this address has logged."""
        names = [pod["metadata"]["name"] for pod in self.pods("server") if pod["status"].get("podIP") == address]
        return self.kubectl("logs", *names)

    def ready(self) -> set[str]:
        """The addresses of servers that their EndpointSlices list as ready."""
        path = self._namespace.path("endpointslices", group="discovery.k8s.io")
        return set(ready(self._list(path, f"kubernetes.io/service-name={SERVER}")))

    def wait_ready(self, replicas: int) -> set[str]:
        """Wait until exactly so many addresses are ready, and return them."""
        return until(f"{replicas} ready", lambda: found if len(found := self.ready()) == replicas else None)  # type: ignore[no-any-return]

    def gone(self, left: int) -> None:
        """Wait until only so many server pods are left, those that end included."""
        self._portal.call(self._namespace.gone, left)

    def ask_dns(self, name: str, kind: str = "A") -> DNSRecord:
        """What the cluster's DNS answers when asked for a name in the namespace."""
        annotations = self.get("namespace", self.name)["metadata"].get("annotations", {})
        if not (address := annotations.get("lab/dns") or os.environ.get("DNS_ADDRESS", "")):
            pytest.skip("DNS_ADDRESS is not set: nothing to ask this cluster's DNS at")
        host, _, port = address.partition(":")
        question = DNSRecord.question(f"{name}.{self.name}.svc.cluster.local", kind)
        return DNSRecord.parse(question.send(host, int(port), timeout=5))

    def ask_for(self, fault: str, pod: str, lasting: str) -> None:
        """Have the server at an address break, from a pod that dials it without balancing."""
        template = self.get("deployment", CLIENT)["spec"]["template"]
        [client] = template["spec"]["containers"]
        spec = template["spec"] | {"restartPolicy": "Never", "initContainers": []}
        if any(arg.startswith("--tls-") for arg in pod_spec([self.get("deployment", SERVER)])["containers"][0]["args"]):
            client["args"] += [f"--connect={pod}:8443"]
        else:
            client |= {"command": ["python", "-m", "clusterip.client"], "args": [f"--target={pod}:8000"]}
            client["volumeMounts"] = spec["volumes"] = []
        # Connected before it asks, by the calls that warm it up: a connection may take a busy machine seconds.
        client["args"] += ["--count=1", "--deadline=5s", "--warmup=60s"]
        client["args"] += [f"--metadata=fault={fault}", f"--metadata=fault-for={lasting}"]
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fault"}, "spec": spec}
        self.kubectl("create", "-f", "-", stdin=json.dumps(body))
        until("the fault", lambda: self.get("pod", "fault")["status"].get("phase") in ("Succeeded", "Failed"))

    def measure(self, *flags: str, backends: int = 3) -> Measuring:
        """Start the demo's client as a Job, with these flags; return when so many backends have answered it.

        By then DNS names them all: CoreDNS may know fewer of them for 30 s.
        """
        self.scale(0, CLIENT)
        self.edge()
        started = measuring(self._namespace, *flags, backends=backends)
        measurement = self._stack.enter_context(self._portal.wrap_async_context_manager(started))
        return Measuring(measurement, self._portal)

    def delete(self) -> None:
        """With all that is in it, without waiting for that."""
        self.kubectl("delete", "namespace", self.name, "--wait=false")
        # A drain of 35 s teaches nobody here any more.
        self.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")


@contextmanager
def own_namespace() -> Iterator[OwnNamespace]:
    """A new namespace that enforces Pod Security `restricted`; deleted in the end, whatever happened."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(connect()) as api, ExitStack() as stack:
        namespace = Namespace(api, "greeter-e2e", TIMEOUT)
        own = OwnNamespace(namespace, portal, stack)
        portal.call(namespace.create)
        stack.callback(own.delete)
        yield own
