"""The real kubectl, in a test's own namespace."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WITHIN = 60  # seconds that a command may take


@dataclass
class Result:
    """What it wrote."""

    out: bytes
    err: bytes


class Kubectl:
    """Runs commands."""

    def __init__(self, config: str, namespace: str) -> None:
        self._config, self._namespace = config, namespace

    async def start(self, *arguments: str, **files: int | Path | None) -> asyncio.subprocess.Process:
        """Start a command; who starts it ends it."""
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE} | files
        environment = os.environ | {"KUBECONFIG": self._config}
        return await asyncio.create_subprocess_exec(
            "kubectl",
            f"--namespace={self._namespace}",
            *arguments,
            env=environment,
            limit=2**20,
            **streams,  # type: ignore[arg-type]
        )

    async def __call__(
        self,
        *arguments: str,
        status: int = 0,
        stdin: bytes = b"",
        on_line: Callable[[bytes], Awaitable[None]] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Run one to its end, and assert that it exits so."""
        process = await self.start(*arguments, cwd=cwd)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as group:
                out = group.create_task(_read(process.stdout, on_line))
                err = group.create_task(process.stderr.read())
                group.create_task(_write(process.stdin, stdin))
                await process.wait()
        finally:
            await end(process)
        result = Result(out.result(), err.result())
        assert process.returncode == status, (process.returncode, result.out[-2000:], result.err)
        return result


async def _read(stream: asyncio.StreamReader, on_line: Callable[[bytes], Awaitable[None]] | None) -> bytes:
    if on_line is None:
        return await stream.read()
    lines = b""
    async for line in stream:
        lines += line
        await on_line(line)
    return lines


async def _write(stream: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(ConnectionError):  # it reads no more
        stream.write(data)
        await stream.drain()
    stream.close()


async def end(process: asyncio.subprocess.Process) -> None:
    """End it, if it still runs."""
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
        await process.wait()
