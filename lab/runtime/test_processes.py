"""What containers rely on: exit codes, output, signals; and that nothing outlives a container or the lab."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from lab.runtime.processes import Process, StartError
from lab.testing import until

ENV = {"PATH": os.environ["PATH"]}
DAEMON = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
FORKS = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {DAEMON!r}])
subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"])
print("forked", flush=True)
time.sleep(600)
"""


class Run(Protocol):
    async def __call__(self, *argv: str, log: Path | None = None) -> Process: ...


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    started = []

    async def run(*argv: str, log: Path | None = None) -> Process:
        process = await Process.start(list(argv), ENV, tmp_path, log)
        started.append(process)
        return process

    yield run
    for process in started:
        await process.kill()


def running_in(directory: Path) -> list[int]:
    """The pids of processes whose working directory this is, dead ones left out."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/cwd") == str(directory):
                found.append(int(name))
        except OSError:
            continue  # it has just ended
    return found


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)])
async def test_exit_codes_are_those_of_a_container_runtime(run: Run, script: str, code: int) -> None:
    process = await run("sh", "-c", script)
    assert await process.wait() == code
    assert process.exit_code == code


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("nosuchprogram", 'exec: "nosuchprogram": executable file not found in $PATH'),
        ("/no/such", 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
    ],
)
async def test_a_program_that_cannot_run_is_a_start_error(run: Run, program: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        await run(program)
    assert str(caught.value) == reason


async def test_output_is_kept_where_there_is_no_log(run: Run) -> None:
    process = await run("sh", "-c", "echo out; echo err >&2; head -c 20000 /dev/zero")
    await process.wait()
    assert process.output.startswith("out\nerr\n")
    assert len(process.output) == 10 * 1024


async def test_sigterm_in_the_moment_of_a_fork_is_ignored_too(run: Run, tmp_path: Path) -> None:
    script = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # as shells do around fork and vfork
print("blocked", flush=True)
end = time.monotonic() + 0.3
while time.monotonic() < end:
    pass
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
print("alive", flush=True)
time.sleep(600)
"""
    log = tmp_path / "0.log"
    process = await run(sys.executable, "-c", script, log=log)
    await until(lambda: "blocked" in log.read_text(), "in time")
    process.signal(signal.SIGTERM)
    await until(lambda: "alive" in log.read_text() or process.exit_code, "in time")
    assert process.exit_code is None


async def test_ignored_signals_are_not_inherited(run: Run) -> None:
    process = await run("sh", "-c", "yes | head -1 >/dev/null; grep -c 'SigIgn:.*0000$' /proc/self/status")
    await process.wait()
    assert process.output == "1\n"


async def test_no_way_of_signalling_pid_1_is_left(run: Run) -> None:
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"x86_64": [62, 200, 234, 434], "aarch64": [129, 130, 131, 434]}[os.uname().machine]
kill, tkill, tgkill, pidfd_open = numbers
for call in [(kill, 1, 0), (kill, -1, 0), (tkill, 1, 0), (tgkill, 1, 1, 0), (pidfd_open, 1, 0), (kill, os.getpid(), 0)]:
    print(libc.syscall(*call), ctypes.get_errno() * (libc.syscall(*call) < 0))
"""
    process = await run(sys.executable, "-c", script)
    await process.wait()
    assert process.output.split("\n") == [*["-1 1"] * 5, "0 0", ""]


async def test_what_a_program_leaves_behind_ends_with_it(run: Run, tmp_path: Path) -> None:
    process = await run("sh", "-c", f"{sys.executable} -c '{DAEMON}'; sleep 600 & exit 5")
    assert await process.wait() == 5
    assert running_in(tmp_path) == []


async def test_kill_ends_all_that_forked_also_where_sigterm_is_ignored(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    process = await run(sys.executable, "-c", FORKS, log=log)
    await until(lambda: "forked" in log.read_text(), "in time")
    await until(lambda: len(running_in(tmp_path)) >= 4, "in time")
    process.signal(signal.SIGTERM)
    await process.kill()
    assert process.exit_code == 137
    assert running_in(tmp_path) == []


async def test_a_program_that_closes_its_output_runs_on(run: Run, tmp_path: Path) -> None:
    process = await run("sh", "-c", f"exec >/dev/null 2>&1; while [ ! -e {tmp_path}/go ]; do sleep .05; done; exit 9")
    (tmp_path / "go").touch()
    assert await process.wait() == 9


@pytest.fixture
def lab(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process like the lab, with a program that forks, daemonizes and ignores SIGTERM."""
    script = f"""
import asyncio, pathlib
from lab.runtime.processes import Process
async def main():
    directory = pathlib.Path({str(tmp_path)!r})
    process = await Process.start({[sys.executable, "-c", FORKS]!r}, {ENV!r}, directory, directory / "0.log")
    print(process.pid, process._shim.pid, flush=True)
    await process.wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as lab:
        yield lab
        lab.kill()


async def test_a_program_ends_when_its_shim_is_killed(lab: "subprocess.Popen[str]", tmp_path: Path) -> None:
    assert lab.stdout
    pid, shim = map(int, lab.stdout.readline().split())
    await until(
        lambda: "forked" in (tmp_path / "0.log").read_text(), "in time"
    )  # it writes no more, so no SIGPIPE ends it
    os.kill(shim, signal.SIGKILL)
    await until(lambda: pid not in running_in(tmp_path), "in time")
    for orphan in running_in(tmp_path):  # its daemons live on: nobody is left to know of them
        os.kill(orphan, signal.SIGKILL)


async def test_a_large_environment_is_taken(tmp_path: Path) -> None:
    env = {f"LARGE_{i}": "x" * 100_000 for i in range(10)}  # execve takes 128 KiB a variable, a ConfigMap holds 1 MiB
    process = await Process.start(["/bin/sh", "-c", "echo ${#LARGE_9}"], env, tmp_path)
    await process.wait()
    assert process.output == "100000\n"
