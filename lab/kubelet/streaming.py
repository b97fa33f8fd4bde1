"""What `kubectl exec` and `kubectl attach` hold on to: a program's stdin and outputs, until it ends.

Stands for the kubelet's streaming server (k8s.io/kubelet/pkg/cri/streaming).
"""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from lab.apimachinery.store import Object
from lab.kubelet import podlogs
from lab.runtime.processes import Process
from lab.runtime.stdio import Stdio


def stdio(container: Object) -> Stdio:
    """The files of a container's own program; its output goes to its log."""
    if container.get("tty"):
        return Stdio.on_terminal()
    return Stdio.pipes(stdin=container.get("stdin", False), outputs=False)


class Execution:
    """A command that has been started in a container."""

    def __init__(self, process: Process, stdio: Stdio) -> None:
        self.process, self._stdio = process, stdio
        self.write, self.resize = stdio.write, stdio.resize

    @property
    def outputs(self) -> Mapping[int, AsyncGenerator[bytes, None]]:
        """What comes from its stdout, 1, and its stderr, 2; of a terminal all is in 1."""
        return {number: self._stdio.read(number) for number in self._stdio.outputs}

    def close_stdin(self) -> None:
        """Nothing more will be written."""
        self._stdio.close_stdin()

    async def wait(self) -> int:
        """Its exit code."""
        return await self.process.wait()


class Attachment:
    """Somebody who has come to a container's own program."""

    def __init__(self, process: Process, stdio: Stdio, log: Path, start: int, *, once: bool) -> None:
        self._process, self._stdio, self._log, self._start, self._once = process, stdio, log, start, once
        self.write, self.resize = stdio.write, stdio.resize

    @property
    def outputs(self) -> Mapping[int, AsyncGenerator[bytes, None]]:
        """What its log gets, which has stdout and stderr in one."""
        return {1: podlogs.written(self._log, self._start, lambda: self._process.exit_code is not None)}

    def close_stdin(self) -> None:
        """Nothing more will be written by this one; by nobody, where `stdinOnce` says so."""
        if self._once:
            self._stdio.close_stdin()

    async def wait(self) -> int:
        """0 once it has ended: what its exit code was, its status says."""
        await self._process.wait()
        return 0
