"""A program's stdin, stdout and stderr where somebody is at the other end: pipes, or a terminal.

Stands for containerd's FIFOs and console (github.com/containerd/containerd/pkg/cio).
"""

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024
File = int | None  # a file descriptor


@dataclass
class Stdio:
    """Both ends of a program's files; ours do not block."""

    program: tuple[File, File, File]  # its stdin, stdout and stderr, where they are not what the shim gives it
    stdin: File  # ours, to write to
    outputs: Mapping[int, int]  # ours, to read from: of its stdout, 1, and its stderr, 2
    terminal: File = None  # ours, of a terminal: all three in one
    _waiting: set[asyncio.Event] = field(default_factory=set)

    @classmethod
    def pipes(cls, *, stdin: bool, outputs: bool) -> "Stdio":
        """For a program without a terminal. Without `outputs` the shim keeps what it writes, as a container's log."""
        read, write = os.pipe() if stdin else (None, None)
        (out, its_out), (err, its_err) = (os.pipe(), os.pipe()) if outputs else ((None, None), (None, None))
        ours = {number: fd for number, fd in ((1, out), (2, err)) if fd is not None}
        for fd in (write, *ours.values()):
            if fd is not None:
                os.set_blocking(fd, False)
        return cls((read, its_out, its_err), write, ours)

    @classmethod
    def on_terminal(cls) -> "Stdio":
        """For a program on a terminal of its own."""
        ours, its = pty.openpty()
        os.set_blocking(ours, False)
        return cls((its, its, its), ours, {1: ours}, ours)

    def handed_over(self) -> None:
        """The program has its ends: close them here, so that each end hears of the other's closing."""
        for fd in {fd for fd in self.program if fd is not None}:
            os.close(fd)
        self.program = (None, None, None)

    def close(self) -> None:
        """Close what is left of it; who reads or writes is told that it is over."""
        self.handed_over()
        ours = {fd for fd in (self.stdin, *self.outputs.values(), self.terminal) if fd is not None}
        self.stdin, self.outputs, self.terminal = None, {}, None
        for fd in ours:
            self._close(fd)

    def close_stdin(self) -> None:
        """The program shall read no more. A terminal stays open: it is its outputs, too."""
        if self.stdin is not None and self.stdin != self.terminal:
            stdin, self.stdin = self.stdin, None
            self._close(stdin)

    async def write(self, data: bytes) -> None:
        """Write all of it to the program's stdin; what it reads no more is dropped."""
        while data and self.stdin is not None:
            try:
                data = data[os.write(self.stdin, data) :]
            except BlockingIOError:
                await self._ready(self.stdin, write=True)
            except OSError:  # EPIPE, or a terminal's EIO
                return

    async def read(self, number: int) -> AsyncGenerator[bytes, None]:
        """What the program writes, in chunks, until nobody can write any more."""
        while number in self.outputs:
            fd = self.outputs[number]
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                await self._ready(fd, write=False)
                continue
            except OSError:  # a terminal's EIO
                return
            if not data:
                return
            yield data

    def resize(self, columns: int, rows: int) -> None:
        """Tell the program's terminal its size in characters."""
        if self.terminal is not None:
            with suppress(struct.error):  # no such size
                fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def _ready(self, fd: int, *, write: bool) -> None:
        """Wait until there is something to read, or room to write, or the file has been closed here."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        (loop.add_writer if write else loop.add_reader)(fd, ready.set)
        self._waiting.add(ready)
        try:
            await ready.wait()
        finally:
            self._waiting.discard(ready)
            if fd == self.stdin or fd in self.outputs.values():  # else its number may be another file's
                (loop.remove_writer if write else loop.remove_reader)(fd)

    def _close(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        os.close(fd)
        for ready in self._waiting:
            ready.set()
