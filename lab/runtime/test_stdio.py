"""A program's files from the other end, with real programs."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.runtime.processes import Process, StartError
from lab.runtime.stdio import Stdio
from lab.testing import until

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
async def no_files_left() -> AsyncIterator[None]:
    await Process.start(["true"], ENV, Path("/"))  # what the event loop opens once, it has opened
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= len(before)


async def everything(stdio: Stdio, number: int) -> bytes:
    return b"".join([chunk async for chunk in stdio.read(number)])


async def test_outputs_are_read_to_their_end_and_apart(no_files_left: None) -> None:
    stdio = Stdio.pipes(stdin=False, outputs=True)
    process = await Process.start(["sh", "-c", "echo err >&2; head -c 1000000 /dev/zero"], ENV, Path("/"), stdio=stdio)
    out, err = await asyncio.gather(everything(stdio, 1), everything(stdio, 2))
    assert (len(out), err, await process.wait()) == (1_000_000, b"err\n", 0)
    stdio.close()


async def test_a_program_that_does_not_read_holds_up_who_writes_until_it_ends(no_files_left: None) -> None:
    stdio = Stdio.pipes(stdin=True, outputs=True)
    process = await Process.start(["sleep", "600"], ENV, Path("/"), stdio=stdio)
    writing = asyncio.create_task(stdio.write(b"x" * 1_000_000))
    done, _ = await asyncio.wait([writing], timeout=0.2)
    assert not done
    await process.kill()
    await asyncio.wait_for(writing, 20)
    stdio.close()


async def test_closing_it_tells_who_waits(no_files_left: None) -> None:
    stdio = Stdio.pipes(stdin=True, outputs=True)
    process = await Process.start(["sleep", "600"], ENV, Path("/"), stdio=stdio)
    waiting = [asyncio.create_task(everything(stdio, 1)), asyncio.create_task(stdio.write(b"x" * 1_000_000))]
    await asyncio.wait(waiting, timeout=0.1)
    stdio.close()
    await asyncio.wait_for(asyncio.gather(*waiting), 20)
    await process.kill()


async def test_a_terminal_is_the_programs_own(no_files_left: None, tmp_path: Path) -> None:
    """Ctrl-C at it is a signal; and the log has what it shows."""
    stdio = Stdio.on_terminal()
    log = tmp_path / "0.log"
    script = "trap 'echo caught; exit 7' INT; echo begun; while :; do sleep 0.05; done"
    process = await Process.start(["sh", "-c", script], ENV, Path("/"), log, stdio)
    await until(lambda: log.exists() and b"begun" in log.read_bytes(), "it has begun")
    await stdio.write(b"\x03")
    assert await asyncio.wait_for(process.wait(), 20) == 7
    assert b"caught" in log.read_bytes()
    stdio.close()


async def test_what_could_not_be_started_leaves_no_files(no_files_left: None) -> None:
    stdio = Stdio.pipes(stdin=True, outputs=True)
    with pytest.raises(StartError):
        await Process.start(["/no/such"], ENV, Path("/"), stdio=stdio)
    stdio.close()
