"""A container's probes: one try of each kind, the words in which it fails, and how many in a row it takes.

Stands for k8s.io/kubernetes/pkg/probe (grpc, http, tcp, exec) and the workers of pkg/kubelet/prober; the messages are
the kubelet's, seen on Kubernetes 1.34.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

import aiohttp
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lab.apimachinery.schemas import KUBERNETES
from lab.apimachinery.store import Object
from lab.loopback import moved
from lab.runtime.processes import StartError

USER_AGENT = f"kube-probe/{KUBERNETES}"
GRPC_OPTIONS = [
    ("grpc.primary_user_agent", USER_AGENT),
    # A probe keeps trying to connect until its timeout. A server that comes up meanwhile is to be noticed at once; and
    # the next probe is not to wait for the back-off of this one, which channels of one process share.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.use_local_subchannel_pool", 1),
]


class ProbeFailed(Exception):
    """The container answered, and not as it should, or didn't answer."""


class ProbeErrored(Exception):
    """The probe itself couldn't be made; it says nothing of the container."""


Execute = Callable[[list[str]], Awaitable[tuple[int, str]]]  # a command in the container: exit code and output


@dataclass(frozen=True)
class Target:
    """What is probed."""

    ip: str
    container: Object
    execute: Execute

    def port(self, port: int | str) -> int:
        """The number that a port's number or name stands for. Raises ProbeErrored."""
        if isinstance(port, int):
            return moved(port)
        for declared in self.container.get("ports", []):
            if declared.get("name") == port:
                return moved(declared["containerPort"])
        raise ProbeErrored(f'strconv.Atoi: parsing "{port}": invalid syntax')


async def check(probe: Object, target: Target) -> None:
    """Try once. Raises ProbeFailed and ProbeErrored."""
    seconds = probe["timeoutSeconds"]
    if "grpc" in probe:
        await _grpc(f"{target.ip}:{target.port(probe['grpc']['port'])}", probe["grpc"].get("service", ""), seconds)
    elif "httpGet" in probe:
        await http_get(probe["httpGet"], target, seconds)
    elif "tcpSocket" in probe:
        await _tcp(target.ip, target.port(probe["tcpSocket"]["port"]), seconds)
    elif "exec" in probe:
        await _exec(probe["exec"]["command"], target, seconds)


async def _grpc(address: str, service: str, seconds: int) -> None:
    async with grpc.aio.insecure_channel(address, options=GRPC_OPTIONS) as channel:
        try:
            async with asyncio.timeout(seconds):
                await channel.channel_ready()
        except TimeoutError:
            message = f'timeout: failed to connect service "{address}" within {seconds}s: context deadline exceeded'
            raise ProbeFailed(message) from None
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            response = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise ProbeFailed(_grpc_message(error)) from error
    if response.status != health_pb2.HealthCheckResponse.SERVING:
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        raise ProbeFailed(f'service unhealthy (responded with "{name}")')


def _grpc_message(error: grpc.aio.AioRpcError) -> str:
    if error.code() == grpc.StatusCode.UNIMPLEMENTED:
        protocol = "the grpc health protocol (grpc.health.v1.Health)"
        return f"error: this server does not implement {protocol}: {error.details()}"
    name = error.code().name.title().replace("_", "")
    return f"error: health rpc probe failed: rpc error: code = {name} desc = {error.details()}"


async def http_get(action: Object, target: Target, seconds: int | None) -> None:
    """Ask for a page, as probes and hooks do. Raises ProbeFailed and ProbeErrored."""
    host, port = action.get("host") or target.ip, target.port(action["port"])
    url = f"{action['scheme'].lower()}://{host}:{port}/{action['path'].removeprefix('/')}"
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    headers |= {header["name"]: header["value"] for header in action.get("httpHeaders", [])}
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers, ssl=False, allow_redirects=False) as response,
        ):
            status = response.status
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise ProbeFailed(f'Get "{url}": {why}') from None
    except aiohttp.ClientConnectorError as error:
        why = _dial(host, port, error.os_error)
        raise ProbeFailed(f'Get "{url}": {why}') from error
    except aiohttp.ServerDisconnectedError:
        raise ProbeFailed(f'Get "{url}": EOF') from None
    except aiohttp.ClientError as error:
        raise ProbeFailed(f'Get "{url}": {error}') from error
    if not 200 <= status < 400:
        raise ProbeFailed(f"HTTP probe failed with statuscode: {status}")


async def _tcp(ip: str, port: int, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(ip, port)
    except TimeoutError:
        raise ProbeFailed(f"dial tcp {ip}:{port}: i/o timeout") from None
    except OSError as error:
        raise ProbeFailed(_dial(ip, port, error)) from error
    writer.close()
    await writer.wait_closed()


def _dial(host: str, port: int, error: OSError) -> str:
    """How Go says that a connection failed."""
    why = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"dial tcp {host}:{port}: connect: {why}"


async def _exec(command: list[str], target: Target, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            code, output = await target.execute(command)
    except TimeoutError:
        message = f'command timed out: "{" ".join(command)}" timed out after {seconds}s'
        raise ProbeFailed(message) from None
    except StartError as error:
        raise ProbeErrored(f"failed to exec in container: unable to start container process: {error}") from error
    if code:
        raise ProbeFailed(output)


Results = AsyncGenerator[bool, None]


class Kind(Enum):
    """What is asked of a container."""

    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"


# What a container is before its probe has said anything.
BEFORE = {Kind.STARTUP: None, Kind.READINESS: False, Kind.LIVENESS: True}


async def results(
    kind: Kind, probe: Object, target: Target, started: float, unhealthy: Callable[[str], None]
) -> Results:
    """Probe from now on, and give each change of what is to be believed; `unhealthy` is told of every bad try.

    `started` is when, by the loop's clock, the container started. A startup probe ends with its first result, a
    liveness probe with its first failure: the container is restarted then.
    """
    loop = asyncio.get_running_loop()
    tick = max(loop.time(), started + probe.get("initialDelaySeconds", 0))
    believed, last, in_a_row = BEFORE[kind], None, 0
    while True:
        await asyncio.sleep(tick - loop.time())
        tick = max(tick + probe["periodSeconds"], loop.time())
        try:
            await check(probe, target)
            result = True
        except ProbeFailed as failure:
            unhealthy(f"{kind.value} probe failed: {failure}")
            result = False
        except ProbeErrored as error:
            unhealthy(f"{kind.value} probe errored and resulted in unknown state: {error}")
            continue
        in_a_row = in_a_row + 1 if result == last else 1
        last = result
        if result == believed or in_a_row < probe["successThreshold" if result else "failureThreshold"]:
            continue
        believed = result
        yield result
        if kind is Kind.STARTUP or (kind is Kind.LIVENESS and not result):
            return
