"""A control plane made with go-control-plane, which testdata/go_control_plane has: told of endpoints on its stdin."""

import asyncio
import base64
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

from benchmarks.kubernetes_api import SERVICE, addresses, another
from client_xds import resources
from endpoint_watch import Endpoint
from testing.processes import LISTENING

SOURCE = Path(__file__).parent / "testdata" / "go_control_plane"


def build(directory: Path) -> Path:
    """The program, in that directory, with the versions that its go.sum pins."""
    program = directory / "go-control-plane"
    subprocess.run(["go", "build", "-mod=readonly", f"-o={program}", "."], cwd=SOURCE, check=True)
    return program


class GoControlPlane:
    """One that runs, and knows these endpoints."""

    def __init__(self, running: "subprocess.Popen[str]", addresses: list[str]) -> None:
        assert running.stdout
        self._running = running
        self._addresses = addresses
        self._version = 0
        self.pid = running.pid
        self._tell()
        listening = LISTENING.search(running.stdout.readline())
        assert listening, "the program in Go did not start"
        self.address = listening[1]

    async def update(self) -> float:
        self._addresses[0] = another(self._version)
        return self._tell()

    def _tell(self) -> float:
        self._version += 1
        endpoints = sorted(Endpoint(address, 8000) for address in self._addresses)
        messages = (
            resources.api_listener(SERVICE, SERVICE),
            resources.route_configuration(SERVICE),
            resources.cluster(SERVICE),
            resources.load_assignment(SERVICE, endpoints),
        )
        told = DiscoveryResponse(version_info=str(self._version), resources=map(resources.packed, messages))
        line = base64.b64encode(told.SerializeToString()).decode()
        sent = time.monotonic()
        assert self._running.stdin
        print(line, file=self._running.stdin, flush=True)
        return sent


@asynccontextmanager
async def serving(program: Path, endpoints: int) -> AsyncIterator[GoControlPlane]:
    start = partial(subprocess.Popen, [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with await asyncio.to_thread(start) as running:
        try:
            yield GoControlPlane(running, addresses(endpoints))
        finally:
            running.kill()
