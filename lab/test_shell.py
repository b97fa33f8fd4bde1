"""The lab's own shell: `kubectl` in it talks to the lab, whatever files and variables of the user's name another."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.__main__ import PROMPT

# Runs its arguments with the terminal that is its stdin as their own.
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
LAB = [sys.executable, "-m", "lab"]


@pytest.fixture
def prod(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that must not be touched."""
    cluster = {"name": "prod", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "prod", "context": {"cluster": "prod", "user": "prod"}}
    config: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "prod"}
    path = tmp_path / "prod"
    path.write_text(yaml.safe_dump(config | {"clusters": [cluster], "contexts": [context], "users": []}))
    return path


@pytest.fixture
def hostile(prod: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user all of whose files and variables lead to that cluster."""
    home = tmp_path / "home"
    home.mkdir()
    to_prod = f"export KUBECONFIG={prod}"
    rc = f"{to_prod}\ncd /\nPS1='mine> '\nPROMPT_COMMAND='{to_prod}'\nalias kubectl='kubectl --kubeconfig {prod}'\n"
    names = [".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".kshrc", ".shinit"]
    for name in names:
        (home / name).write_text(rc)
    (home / ".config/fish").mkdir(parents=True)
    (home / ".config/fish/config.fish").write_text(f"set -gx KUBECONFIG {prod}\n")
    variables = {"KUBECONFIG": str(prod), "KUBERC": str(prod), "PS1": "mine> ", "PROMPT_COMMAND": to_prod}
    variables |= {"BASH_ENV": str(home / ".bashrc"), "ENV": str(home / ".bashrc"), "HOME": str(home)}
    variables["BASH_FUNC_kubectl%%"] = f'() {{ command kubectl --kubeconfig {prod} "$@"; }}'
    return os.environ | variables | {"XDG_RUNTIME_DIR": str(tmp_path), "TERM": "dumb"}


async def typed(environment: dict[str, str], *command: str, keys: str) -> str:
    """What a terminal shows when somebody runs the command on it and types these keys."""
    terminal, own = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ON_TERMINAL, *command), stdin=own, stdout=own, stderr=own, env=environment
    )
    os.close(own)
    os.write(terminal, keys.encode())
    shown = b""
    try:
        async with asyncio.timeout(30):
            while part := await asyncio.to_thread(_read, terminal):
                shown += part
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        os.close(terminal)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody has it open any more
        return b""


ASK = "kubectl config current-context; kubectl get nodes --output=name; pwd; type -t kubectl; exit\n"


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/zsh"])
async def test_the_labs_shell_is_the_labs_whatever_the_users_files_say(hostile: dict[str, str], shell: str) -> None:
    shown = await typed(hostile | {"SHELL": shell}, *LAB, "shell", keys=ASK)
    lines = shown.splitlines()
    assert "node/lab" in lines, shown
    answers = lines.index("node/lab") - 1
    assert lines[answers : answers + 4] == ["lab", "node/lab", os.getcwd(), "file"], shown
    assert PROMPT.partition("\\")[0] + os.getcwd() in shown
    assert "mine>" not in shown


async def test_make_lab_opens_it(hostile: dict[str, str], tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin/python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    for stamp in ("made", "with-lab"):
        (venv / stamp).touch()
    shown = await typed(hostile | {"SHELL": "/bin/bash"}, "make", "lab", f"VENV={venv}", keys=ASK)
    assert "node/lab" in shown.splitlines(), shown
    assert "(lab) " in shown


async def test_it_says_what_other_terminals_need_and_ends_well_whatever_was_typed_last(tmp_path: Path) -> None:
    variables = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "PS1": ""}
    pipe = asyncio.subprocess.PIPE
    shell = await asyncio.create_subprocess_exec(*LAB, "shell", stdin=pipe, stdout=pipe, stderr=pipe, env=variables)
    out, err = await asyncio.wait_for(shell.communicate(b"echo $KUBECONFIG; false\n"), 20)
    assert err.decode() == f"lab: for other terminals: export KUBECONFIG={out.decode()}"
    assert shell.returncode == 0


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (["sh", "-c", "kubectl config current-context; echo $KUBERC"], "lab\noff\n"),
        (["bash", "-c", "kubectl config current-context"], "lab\n"),
        (["kubectl", "config", "current-context"], "lab\n"),
    ],
)
async def test_a_command_in_the_lab_is_told_of_no_other_cluster(
    hostile: dict[str, str], command: list[str], answer: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *LAB, "run", "--", *command, stdout=asyncio.subprocess.PIPE, env=hostile
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert (out.decode(), process.returncode) == (answer, 0)
