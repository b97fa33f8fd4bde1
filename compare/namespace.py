"""A namespace of our own, and what is done to a demo in it: apply, scale, restart, delete."""

import asyncio
import datetime
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lightkube import ApiError

from catalogue import Demo, parsed
from compare import pods, program
from compare.api import MERGE, Api, Object
from compare.errors import ClusterError, CompareError
from compare.pods import Backend, Backends

SERVER, CLIENT = "greeter-server", "greeter-client"
EDGES = ("Ingress", "Gateway")
COMPONENT = "app.kubernetes.io/component"  # the label that says which part of a demo an object is of
DELETION = 120.0  # seconds that a namespace may take to go
ENFORCE = "pod-security.kubernetes.io/enforce"
LABELS = {
    "app.kubernetes.io/managed-by": "compare",
    ENFORCE: "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


class Namespace:
    """Times out after `patience` seconds wherever it waits for the cluster."""

    def __init__(self, api: Api, name: str, patience: float) -> None:
        self.api = api
        self.name = f"{name.replace('_', '-').replace('/', '-')}-{uuid.uuid4().hex[:5]}"
        self.patience = patience
        self.backends = Backends(api, self.name)
        self.edge = ""  # the address of its Ingress or Gateway, where it has one
        self._asked_for = False

    def path(self, plural: str, name: str = "", group: str = "") -> str:
        """Of a built-in kind: pods, or deployments with the group apps."""
        prefix = f"/apis/{group}/v1" if group else "/api/v1"
        return "/".join(filter(None, [f"{prefix}/namespaces/{self.name}/{plural}", name]))

    async def create(self) -> None:
        """Raises ClusterError where that isn't allowed."""
        meta = {"name": self.name, "labels": LABELS}
        self._asked_for = True
        try:
            await self.api.create("", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        except ApiError as error:
            self._asked_for = False
            if error.response.status_code == 403:
                remedy = "each strategy is measured in a namespace of its own; use a cluster where you may create some"
                raise ClusterError(f"no namespace could be created: {error.status.message}; {remedy}") from error
            raise

    async def delete(self) -> None:
        """Delete it with all that is in it, and wait until it is gone."""
        if not self._asked_for:
            return
        path = f"/api/v1/namespaces/{self.name}"
        try:
            await self.api.request("DELETE", path)
            # A drain of half a minute teaches nobody here any more.
            await self.api.request("DELETE", self.path("pods"), {"gracePeriodSeconds": 0})
            async with within(DELETION, f"namespace {self.name} is asked to go, but is still there"):
                async for namespaces in self.api.watch(
                    "/api/v1/namespaces", fieldSelector=f"metadata.name={self.name}"
                ):
                    if not namespaces:
                        return
        except ApiError as error:
            if error.response.status_code != 404:
                raise

    async def adjust(self, demo: Demo) -> None:
        """Enforce another level of Pod Security where the demo asks for one (`pod_security` in expectations.toml)."""
        if level := demo.expectations.get("pod_security"):
            path = f"/api/v1/namespaces/{self.name}"
            await self.api.request("PATCH", path, {"metadata": {"labels": {ENFORCE: level}}}, MERGE)

    async def apply(self, demo: Demo) -> None:
        """Create what the manifests hold, as `kubectl apply` does; return when all Deployments are rolled out.

        The client comes last: one that asked DNS before would leave its "no such name" in the cluster's cache. Its pod
        template is what measures; it isn't to call by itself meanwhile.
        """
        await self.adjust(demo)
        await self.prepare(demo)
        objects = demo.objects()
        client = [obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", CLIENT)]
        for obj in [obj for obj in objects if obj not in client]:
            await self.api.create(self.name, obj)
        await self.ready(demo.expectations["spread"]["replicas"])
        await self.rolled_out(
            *(obj["metadata"]["name"] for obj in objects if obj["kind"] == "Deployment" and obj not in client)
        )
        await self.find_edge(demo)
        for obj in client:
            await self.api.create(self.name, obj)
            await self.scale(0, CLIENT)

    async def lacks(self, demo: Demo) -> str:
        """What the demo `needs` (expectations.toml) and the cluster hasn't; "" where nothing is lacking."""
        needs = str(demo.expectations.get("needs", ""))
        known = not needs or all([await self.api.knows(obj) for obj in demo.objects()])
        return "" if known else needs

    async def prepare(self, demo: Demo) -> None:
        """Create what the strategy's executable `prepare`, where it has one, prints for this namespace and variant."""
        strategy, _, variant = demo.name.partition("/")
        prepare = next((d / "prepare" for d in demo.manifests.parents if d.name == strategy), None)
        if not prepare or not os.access(prepare, os.X_OK):
            return
        # A Python program is run by this Python, which has what this project needs.
        env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        what = f"{strategy}/prepare"
        printed = await program.output(what, [os.fspath(prepare), self.name, variant], self.patience, env)
        for obj in parsed(printed, what):
            await self.api.create(self.name, obj)

    async def find_edge(self, demo: Demo) -> None:
        """Wait until its Ingress or Gateway, where it has one, has an address."""
        for obj in demo.objects():
            if obj["kind"] in EDGES:
                async with within(self.patience, f"an address of {obj['kind']} {obj['metadata']['name']}"):
                    self.edge = await self._address(obj)

    async def _address(self, edge: Object) -> str:
        """Of an Ingress or a Gateway, once it has one."""
        path = await self.api.path(edge["apiVersion"], edge["kind"], self.name)
        async for found in self.api.watch(path, fieldSelector=f"metadata.name={edge['metadata']['name']}"):
            for obj in found.values():
                if given := address(obj):
                    return given
        raise AssertionError("a watch has no end")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """For the length of the block know the backends, and end where the namespace goes or its pods can't run."""
        try:
            async with alongside(self.backends.follow(), self._stays(), self._can_run()):
                yield
        except ClusterError:
            raise
        except (CompareError, ApiError):  # of what went with the namespace, it may be, before we heard of that
            self._there((await self.api.get("/api/v1/namespaces", fieldSelector=self._itself))["items"])
            raise

    async def _stays(self) -> None:
        async for found in self.api.watch("/api/v1/namespaces", fieldSelector=self._itself):
            self._there(found.values())

    @property
    def _itself(self) -> str:
        return f"metadata.name={self.name}"

    def _there(self, found: Iterable[Object]) -> None:
        """Raises CompareError where the namespace is not among what was found, or about to go."""
        if not any("deletionTimestamp" not in obj["metadata"] for obj in found):
            raise CompareError(f"namespace {self.name} was deleted while it was measured in; measure again")

    async def _can_run(self) -> None:
        async for found in self.api.watch(self.path("pods")):
            if reason := pods.hopeless(found.values()):
                raise CompareError(reason)

    async def ready(self, replicas: int) -> dict[str, Backend]:
        """Wait until exactly so many backends are ready. Raises CompareError with what the cluster says of the rest."""
        async with self._explained(lambda: f"{len(self.backends.now)} of {replicas} pods ready", of=(SERVER,)):
            return await self.backends.count(replicas)

    async def rolled_out(self, *deployments: str) -> None:
        """Wait until all of these are, as `kubectl rollout status` does. Raises CompareError as `ready` does."""
        waiting = list(deployments)
        async with self._explained(lambda: f"{', '.join(waiting)}: not rolled out", of=waiting):
            async for found in self.api.watch(self.path("deployments", group="apps")):
                waiting[:] = [name for name in deployments if name not in found or not _rolled_out(found[name])]
                if not waiting:
                    return

    @asynccontextmanager
    async def _explained(self, what: Callable[[], str], of: Collection[str]) -> AsyncIterator[None]:
        """Raises CompareError where the block takes longer than `patience`: `what`, and why Deployments' pods wait."""
        try:
            async with asyncio.timeout(self.patience):
                yield
        except TimeoutError:
            found = (await self.api.get(self.path("pods")))["items"]
            theirs = [pod for pod in found if pod["metadata"]["name"].rsplit("-", 2)[0] in of]
            reason = await pods.reasons(self.api, self.name, theirs)
            raise CompareError(f"{what()} after {self.patience:g} s: {reason}") from None

    async def scale(self, replicas: int, deployment: str = SERVER) -> None:
        path = self.path("deployments", deployment, "apps")
        await self.api.request("PATCH", f"{path}/scale", {"spec": {"replicas": replicas}}, MERGE)

    async def replicas(self, component: str) -> dict[str, int]:
        """How many each Deployment of a component is to have."""
        path = self.path("deployments", group="apps")
        found = (await self.api.get(path, labelSelector=f"{COMPONENT}={component}"))["items"]
        return {obj["metadata"]["name"]: obj["spec"]["replicas"] for obj in found}

    async def restart(self) -> None:
        """Replace every server as `kubectl rollout restart` does; return when that is done."""
        path = self.path("deployments", SERVER, "apps")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        annotations = {"kubectl.kubernetes.io/restartedAt": now}
        template = {"metadata": {"annotations": annotations}}
        await self.api.request("PATCH", path, {"spec": {"template": template}}, MERGE)
        await self.rolled_out(SERVER)

    async def gone(self, left: int, component: str = "server") -> None:
        """Wait until only so many pods of a component are left, those that end included."""
        async with within(self.patience, "the end of the old pods"):
            async for found in self.api.watch(self.path("pods"), labelSelector=f"{COMPONENT}={component}"):
                if len(found) == left:
                    return


def _rolled_out(deployment: Object) -> bool:
    status, replicas = deployment["status"], deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == replicas
        and status.get("replicas", 0) == replicas
        and status.get("availableReplicas", 0) == replicas
    )


def address(obj: Object) -> str:
    """Of an Ingress (networking.k8s.io) or a Gateway (gateway.networking.k8s.io); "" where it has none yet."""
    status = obj.get("status", {})
    given = status.get("addresses") or status.get("loadBalancer", {}).get("ingress") or [{}]
    return str(given[0].get("value") or given[0].get("ip") or given[0].get("hostname") or "")


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Raises CompareError where the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise CompareError(f"{what}: not within {seconds:g} s") from None


@asynccontextmanager
async def alongside(*companions: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these for the length of the block, which the first error among them ends: that error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(companion) for companion in companions]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as errors:
        error = errors.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
