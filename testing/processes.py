"""Servers as processes on loopback addresses of their own; they end with the test, whatever happens."""

import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

LISTENING = re.compile(r"Listening on (\S+), ")
DEADLINE = 20.0  # seconds that a process may take to say what is waited for


class Process:
    """A running module of ours and the lines it has written."""

    def __init__(self, module: str, *args: str, env: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *args],
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._news.put(line.rstrip("\n"))
        self._news.put(None)

    def line(self, pattern: str | re.Pattern[str], within: float = DEADLINE) -> re.Match[str]:
        """Wait for a line that the pattern is found in. Fails with all it wrote where it ends or hangs before that."""
        deadline = time.monotonic() + within
        for line in self.lines:
            if found := re.search(pattern, line):
                return found
        while True:
            try:
                news = self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                news = None
            written = "\n".join(self.lines)
            assert news is not None, f"no line matched {pattern!r} before the end, or in {within:g} s:\n{written}"
            self.lines.append(news)
            if found := re.search(pattern, news):
                return found

    def said(self, text: str) -> bool:
        """Whether it has written this by now."""
        while not self._news.empty():
            line = self._news.get()
            if line is None:
                self._news.put(None)  # `end` waits for it
                break
            self.lines.append(line)
        return any(text in line for line in self.lines)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, signum: signal.Signals) -> None:
        self._process.send_signal(signum)

    def end(self, within: float = DEADLINE) -> int:
        """Wait for its end; return its exit code. All its lines are in `lines` then."""
        code = self._process.wait(within)
        self._reader.join(DEADLINE)
        while (line := self._news.get()) is not None:
            self.lines.append(line)
        return code

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


@contextmanager
def process(module: str, *args: str, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A process that is dead in the end."""
    running = Process(module, *args, env=env)
    try:
        yield running
    finally:
        running.kill()


@contextmanager
def running_lab(*flags: str) -> Iterator[str]:
    """A lab (`python -m lab up`); gives the path of its kubeconfig. It takes its directory along in the end."""
    with process("lab", "up", *flags) as lab:
        yield lab.line(r"^export KUBECONFIG=(.+)$")[1]
        lab.signal(signal.SIGTERM)
        assert lab.end() == 0, "\n".join(lab.lines)


@contextmanager
def greeter(*args: str, address: str = "127.0.0.1:0", **env: str) -> Iterator[Any]:
    """A greeter that serves, and the address it serves on: `with greeter() as (server, address):`."""
    with process("greeter_server", f"--address={address}", *args, env=env) as server:
        yield server, server.line(LISTENING)[1]


def loopback_network() -> str:
    """The start of loopback addresses of a test's own, `127.150.7` say; labs have others."""
    return f"127.{random.randint(128, 191)}.{random.randint(0, 255)}"  # noqa: S311  no two tests the same


@contextmanager
def greeters(count: int, *args: str) -> Iterator[list[tuple[Process, str]]]:
    """Some greeters on one port, each with a loopback address of its own, as pods have."""
    network = loopback_network()
    with ExitStack() as stack:
        first = stack.enter_context(greeter(*args, address=f"{network}.1:0"))
        port = first[1].rpartition(":")[2]
        others = [
            stack.enter_context(greeter(*args, address=f"{network}.{number}:{port}")) for number in range(2, count + 1)
        ]
        yield [first, *others]


def wait_until(what: str, check: Callable[[], Any], timeout: float = DEADLINE, every: float = 0.02) -> Any:
    """The first truthy answer of `check`, asked `every` so many seconds. Fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        time.sleep(every)
    return answer


def wait_for_answer(text: str, ask: Callable[[], str], timeout: float = DEADLINE, every: float = 0.02) -> str:
    """The first answer that begins with the text. Fails with the last one after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := ask()).startswith(text):
        assert time.monotonic() < deadline, f"the answer {text}: not within {timeout:g} s; it is {answer}"
        time.sleep(every)
    return answer
