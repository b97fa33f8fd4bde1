"""Starting processes that nothing outlives: the lab's side of shim.py, as containerd's client side of its shim.

Whoever starts a process goes through here, containers and the lab's own Envoys and nginx alike.
"""

import asyncio
import errno
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from lab.runtime.stdio import Stdio

SHIM = Path(__file__).with_name("shim.py")


class StartError(Exception):
    """The program can't be executed; the message is what runc says of it."""


class Process:
    """A program that runs, behind its shim."""

    def __init__(self, shim: asyncio.subprocess.Process, pid: int) -> None:
        self._shim = shim
        self.pid = pid
        self.output = ""  # the first 10 KiB of stdout and stderr, once it has ended, where there is no log
        self.exit_code: int | None = None  # 128 + N for one that signal N has ended
        self._ended = asyncio.create_task(self._end())

    @classmethod
    async def start(
        cls, argv: list[str], env: dict[str, str], cwd: Path, log: Path | None = None, stdio: Stdio | None = None
    ) -> "Process":
        """Run `argv` with exactly this environment, its output in `log`, each line with its time. Raises StartError.

        `stdio` has the files that somebody else reads or writes; the program's ends are closed here in any case.
        """
        files = stdio.program if stdio else (None, None, None)
        terminal = stdio.terminal if stdio and log else None
        try:
            shim = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(SHIM),
                stdin=PIPE,
                stdout=PIPE,
                env=host_environment(),
                start_new_session=True,  # Ctrl-C at the lab's terminal is for the lab
                pass_fds=[fd for fd in {*files, terminal} if fd is not None],
            )
        finally:
            if stdio:
                stdio.handed_over()
        assert shim.stdin
        assert shim.stdout
        where = {"cwd": str(cwd), "log": str(log) if log else None}
        request = {"argv": argv, "env": env, **where, "files": files, "terminal": terminal}
        try:
            shim.stdin.write(json.dumps(request).encode() + b"\n")
            report = json.loads(await shim.stdout.readline() or "{}")
        except BaseException:  # also cancellation: what has been started must not go on alone
            shim.stdin.close()
            await shim.wait()
            raise
        if "pid" not in report:
            await shim.wait()
            raise StartError(_reason(argv[0], report))
        return cls(shim, report["pid"])

    async def wait(self) -> int:
        """Wait until the program and all its descendants have ended; return its exit code."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send the program a signal, as a container runtime does: without a handler it ignores all but SIGKILL."""
        assert self._shim.stdin
        if self.exit_code is None and not self._shim.stdin.is_closing():
            self._shim.stdin.write(f"{number}\n".encode())

    async def kill(self) -> None:
        """End the program and its descendants at once."""
        assert self._shim.stdin
        self._shim.stdin.close()
        await self.wait()

    async def _end(self) -> int:
        assert self._shim.stdin
        assert self._shim.stdout
        report = json.loads(await self._shim.stdout.readline() or "{}")
        self._shim.stdin.close()
        await self._shim.wait()
        self.output = report.get("output", "")
        self.exit_code = int(report.get("exit", 128 + signal.SIGKILL))  # the latter where the shim has been killed
        return self.exit_code


def host_environment() -> dict[str, str]:
    """The part of the host's environment without which Python doesn't start."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


def _reason(program: str, report: dict[str, object]) -> str:
    """Why it can't be executed, in the words of runc."""
    match report.get("errno"):
        case errno.ENOENT if "/" in program:
            return f'exec: "{program}": stat {program}: no such file or directory'
        case errno.ENOENT:
            return f'exec: "{program}": executable file not found in $PATH'
        case _:
            return f'exec: "{program}": {str(report.get("error", "its shim has been killed")).lower()}'
