"""The real kubectl for tests: to run it against a hollow lab, and what it is given to apply."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lab.testing.hollow import HollowLab

# In CI its absence is a failure, elsewhere a reason to skip.
MISSING = shutil.which("kubectl") is None and not os.environ.get("CI")

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: greeter:dev
        env: [{name: MODE, value: a}]
        ports: [{name: grpc, containerPort: 8000}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: grpc, port: 80, targetPort: grpc}]}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: greeter:dev}]}}}
"""


@dataclass
class Result:
    """What kubectl said."""

    out: str
    err: str
    status: int


Kubectl = Callable[..., Awaitable[Result]]


def kubectl_of(lab: HollowLab, home: Path) -> Kubectl:
    """A function that runs kubectl with these arguments, and asserts that it succeeds or `fails`."""
    environment = os.environ | {"KUBECONFIG": str(lab.kubeconfig), "HOME": str(home)}

    async def run(*arguments: str, stdin: str = "", fails: bool = False) -> Result:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        result = Result(out.decode(), err.decode(), process.returncode or 0)
        assert bool(result.status) is fails, result
        return result

    return run


async def apply(kubectl: Kubectl, manifest: str, *flags: str) -> str:
    return (await kubectl("apply", "-f", "-", *flags, stdin=manifest)).out


async def rolled_out(kubectl: Kubectl) -> None:
    await apply(kubectl, WEB)
    await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
