"""A hollow lab for tests: API server and controllers as they are, and a kubelet that only says that pods run.

After Kubernetes' own kubemark, whose hollow nodes do the same: tests of what the API answers start no processes.
"""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from lab import bootstrap, kubeconfig
from lab.apimachinery.store import Object, Store, now
from lab.apiserver import apiserver
from lab.controllers import deployments, garbage_collector, jobs, namespaces, replicasets, scheduler
from lab.kubeconfig import Credentials
from lab.kubelet.kubelet import Kubelet
from lab.kubelet.node import Node
from lab.kubelet.podlogs import log_path
from lab.network import Network
from lab.objects.decoding import JSON
from lab.testing import running

LOG = "".join(f"2026-01-02T03:04:0{second}.000000000Z {word}\n" for second, word in enumerate(("one", "two", "three")))
NO_IMAGE = "nowhere"  # an image that can't be pulled


@dataclass
class HollowLab:
    """What tests ask, and what is behind it."""

    store: Store
    state: Path
    server: str
    credentials: Credentials
    kubeconfig: Path


@dataclass
class Answer:
    """What the API answered: the body is an object where it was JSON, and else text."""

    code: int
    body: Any
    headers: Any


Call = Callable[..., Awaitable[Answer]]


@asynccontextmanager
async def client(lab: HollowLab) -> AsyncIterator[Call]:
    """A function that sends requests: method, path, body (an object or bytes), its content type, more headers."""
    tls = ssl.create_default_context(cadata=lab.credentials.ca)
    async with aiohttp.ClientSession(lab.server, connector=aiohttp.TCPConnector(ssl=tls)) as session:

        async def call(
            method: str,
            path: str,
            body: Any = None,
            kind: str = JSON,
            token: str = lab.credentials.token,
            **headers: str,
        ) -> Answer:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": kind} | headers
            data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            async with session.request(method, path, data=data, headers=headers) as response:
                text = await response.text()
                found = json.loads(text) if response.content_type == JSON else text
                return Answer(response.status, found, response.headers)

        yield call


@asynccontextmanager
async def hollow_lab(state: Path) -> AsyncIterator[HollowLab]:
    """Run one for the length of the block."""
    with closing(Network.take()) as network:
        store, credentials, ready = Store(), Credentials(), asyncio.Event()
        bootstrap.furnish(store, network)
        server, path = f"https://{network.node}:{apiserver.PORT}", state / "kubeconfig"
        of_namespace = partial(credentials.kubeconfig, server)
        kubeconfig.write(path, of_namespace("default"))
        Node(store, state, network, of_namespace).register()
        kubelet = Kubelet(store, state, network, of_namespace)  # it isn't run: no pod has a container
        tls = credentials.tls(network.node)
        components = (
            apiserver.run(store, network, state, kubelet, tls=tls, token=credentials.token, ready=ready),
            bootstrap.run(store, network),
            namespaces.run(store, credentials.ca),
            garbage_collector.run(store),
            deployments.run(store),
            replicasets.run(store),
            jobs.run(store),
            scheduler.run(store),
            _kubelet(store, state, network),
        )
        async with running(*components):
            await ready.wait()
            yield HollowLab(store, state, server, credentials, path)


async def _kubelet(store: Store, state: Path, network: Network) -> None:
    """Says that pods run as soon as they are scheduled, that those of Jobs have ended, and lets deleted ones go."""
    with store.watch(["pods"]) as pods:
        async for event in pods:
            meta = event.object["metadata"]
            pod = store.find("pods", meta["namespace"], meta["name"])
            if pod is None or "nodeName" not in pod["spec"]:
                continue
            if "deletionTimestamp" in pod["metadata"]:
                if pod["metadata"]["deletionGracePeriodSeconds"]:
                    store.delete("pods", meta["namespace"], meta["name"], grace=0)
            elif "containerStatuses" not in pod.get("status", {}):
                _start(store, state, pod, network.allocate())


def _start(store: Store, state: Path, pod: Object, address: str) -> None:
    for container in pod["spec"]["containers"]:
        log = log_path(state, pod, container["name"], 0)
        log.parent.mkdir(parents=True)
        log.write_text(LOG)
    ends = pod["spec"].get("restartPolicy") in ("Never", "OnFailure")
    ready = not ends and not any(NO_IMAGE in c["image"] for c in pod["spec"]["containers"])
    ready_condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now(), "lastProbeTime": None}
    status = {
        "phase": "Succeeded" if ends else "Running" if ready else "Pending",
        "conditions": [*pod.get("status", {}).get("conditions", []), ready_condition],
        "containerStatuses": [_container(c, ends=ends) for c in pod["spec"]["containers"]],
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now(),
        "qosClass": "BestEffort",
    }
    store.update("pods", pod | {"status": status}, subresource="status")


def _container(container: Object, *, ends: bool) -> Object:
    pulled = NO_IMAGE not in container["image"]
    state: Object = {"running": {"startedAt": now()}}
    if not pulled:
        state = {"waiting": {"reason": "ErrImagePull", "message": f"no image {container['image']}"}}
    elif ends:
        state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now(), "finishedAt": now()}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "containerID": "lab://0",
        "ready": pulled and not ends,
        "started": pulled and not ends,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
