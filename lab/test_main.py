"""The command line: a lab that comes and goes with a command, and what is said of a wrong one."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from lab.testing import until
from lab.testing.pod_lab import listening

Lab = Callable[..., Awaitable[Process]]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Starts `python -m lab` with a run directory of its own; ends what is left."""
    started: list[Process] = []

    async def start(*arguments: str, **environment: str) -> Process:
        variables = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)} | environment
        lab = (sys.executable, "-m", "lab", *arguments)
        process = await asyncio.create_subprocess_exec(*lab, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=variables)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process) -> tuple[str, str, int | None]:
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return out.decode(), (err or b"").decode(), process.returncode


async def kubeconfig_of(process: Process) -> Path:
    """Wait for what `up` prints."""
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    assert line.startswith("export KUBECONFIG=/"), line
    return Path(line.removeprefix("export KUBECONFIG=").rstrip())


def server_of(kubeconfig: Path) -> str:
    """`IP:PORT` of its API server."""
    server: str = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server.removeprefix("https://")


async def test_run_gives_a_command_a_lab_and_its_status(lab: Lab, tmp_path: Path) -> None:
    code = (
        "import os, stat, sys; path = os.environ['KUBECONFIG']; print(oct(os.stat(path).st_mode & 0o777)); sys.exit(7)"
    )
    out, err, status = await said(await lab("run", "--", sys.executable, "-c", code))
    assert (out, err, status) == ("0o600\n", "", 7)
    assert os.listdir(tmp_path) == []


async def test_a_command_that_a_signal_ends_gives_what_a_shell_would(lab: Lab) -> None:
    process = await lab("run", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 15)")
    assert (await said(process))[2] == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_signals_are_passed_on_to_the_command(lab: Lab, number: signal.Signals) -> None:
    code = f"import signal, sys; signal.signal({number}, lambda *_: sys.exit(9)); print('ready', flush=True)"
    code += "; signal.pause()"
    process = await lab("run", "--", sys.executable, "-c", code)
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    process.send_signal(number)
    assert (await said(process))[2] == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_up_ends_and_leaves_nothing(lab: Lab, tmp_path: Path, number: signal.Signals) -> None:
    process = await lab("up")
    server = server_of(await kubeconfig_of(process))
    assert server in listening(server)
    process.send_signal(number)
    _, err, status = await said(process)
    assert (err, status) == ("lab: running until Ctrl-C\n", 0)
    assert server not in listening(server)
    assert os.listdir(tmp_path) == []


async def test_up_prints_what_a_shell_can_run_as_it_is(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "user's files"
    place.mkdir()
    process = await lab("up", XDG_RUNTIME_DIR=str(place))
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    shell = await asyncio.create_subprocess_exec("sh", "-c", f'{line}cat "$KUBECONFIG"', stdout=PIPE)
    assert "current-context: lab\n" in (await said(shell))[0]


async def test_what_a_killed_lab_leaves_goes_at_the_next_start_and_a_living_one_is_let_be(
    lab: Lab, tmp_path: Path
) -> None:
    killed, living = await lab("up"), await lab("up")
    dead, alive = await kubeconfig_of(killed), await kubeconfig_of(living)
    assert server_of(dead) != server_of(alive)
    killed.kill()
    await killed.wait()
    assert dead.exists()
    server = server_of(dead)
    await until(lambda: server not in listening(server), "its port is closed", 2)
    await said(await lab("run", "--", "true"))
    assert os.listdir(tmp_path) == [alive.parent.name]


async def test_a_directory_that_only_looks_like_a_labs_is_let_be(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "lab-notes").mkdir()
    (tmp_path / "lab-notes/lock").touch()
    await said(await lab("run", "--", "true"))
    assert os.listdir(tmp_path) == ["lab-notes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: up|run|shell"),
        (["dwon"], "argument up|run|shell: invalid choice: 'dwon' (choose from 'up', 'run', 'shell')"),
        (["up", "--nope"], "unrecognized arguments: --nope"),
        (["up", "--dns-ttl", "x"], "argument --dns-ttl: 'x' is no number of seconds, such as 5"),
        (["up", "--dns-ttl", "-1"], "argument --dns-ttl: '-1' is no number of seconds, such as 5"),
        (["run"], "the following arguments are required: COMMAND"),
    ],
)
async def test_a_wrong_flag_is_said_in_one_line(lab: Lab, arguments: list[str], message: str) -> None:
    assert await said(await lab(*arguments)) == ("", f"lab: {message}; see python -m lab --help\n", 2)


async def test_a_command_that_there_is_not_is_said_in_one_line(lab: Lab) -> None:
    expected = "lab: cannot run kubctl: there is no such program on PATH; install it, or try: lab run -- ANOTHER\n"
    assert await said(await lab("run", "--", "kubctl", "get", "pods")) == ("", expected, 2)


async def test_a_command_in_the_lab_has_the_labs_python(lab: Lab) -> None:
    out, err, _ = await said(await lab("run", "--", "python", "-c", "import sys; print(sys.prefix)"))
    assert (out, err) == (f"{sys.prefix}\n", "")


async def test_a_python_that_lacks_what_the_lab_needs_is_said_in_one_line() -> None:
    python = await asyncio.create_subprocess_exec(sys.executable, "-S", "-m", "lab", "up", stdout=PIPE, stderr=PIPE)
    out, err, status = await said(python)
    remedy = "`make lab` installs it; by hand it is .venv/bin/python -m lab"
    assert re.fullmatch(f"lab: {re.escape(sys.executable)} has no module \\w+; {re.escape(remedy)}\n", err), err
    assert (out, status) == ("", 2)
