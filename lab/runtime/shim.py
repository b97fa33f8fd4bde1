"""The guardian of one container's processes: starts the program, keeps its log, and lets nothing outlive it.

Stands for containerd-shim and the container's pid namespace. It is a script of its own (`python -I -S shim.py`, only
the standard library, so that it is up in 10 ms) and talks to the lab through its stdin and stdout, a JSON value a line:

    lab → shim   {"argv", "env", "cwd", "log", "files", "terminal"}, then numbers of signals for the program
    shim → lab   {"pid"} or {"errno"}, then {"exit", "output"}

It ends, and with it every process that descends from it, when the program ends and when stdin does: the kernel closes
that pipe also when the lab is killed with -9. What double-forks into the background is caught because the shim is a
"child subreaper": orphans become its children.

With "log" null it keeps the first of the output for "output", which probes and hooks report. "files" has the numbers of
inherited files for the program's stdin, stdout and stderr; null stands for /dev/null and, twice, for that output.
Where they are a terminal that is to be logged, "terminal" is its other end.
"""

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import struct
import termios
import time

# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 2, 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
SYSCALL_NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data

# kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_open: what can name a process to signal it
SIGNALLING = {"x86_64": (62, 200, 234, 129, 297, 434), "aarch64": (129, 130, 131, 138, 240, 434)}

OUTPUT_LIMIT = 10 * 1024  # bytes kept of a probe's output, as the kubelet does
CHUNK = 64 * 1024
BUSY = 2.0  # seconds after which a program that runs on with a signal blocked is taken to mean it


def prctl(option: int, *args: int) -> None:
    """prctl(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *map(ctypes.c_ulong, (*args, *[0] * (4 - len(args))))):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def shield_the_machine() -> None:
    """Refuse, from here on, signals to pid 1 and to all processes (pid -1): EPERM.

    In a container these are the container's own; in the lab they would be the machine's, and a user's whole session.
    A seccomp filter needs no privileges and is inherited by all descendants.
    """
    machine = os.uname().machine
    if machine not in SIGNALLING:
        raise OSError(errno.ENOTSUP, f"the lab runs on {' and '.join(SIGNALLING)}, not on {machine}")
    numbers = SIGNALLING[machine]
    program = [(LOAD, 0, 0, SYSCALL_NUMBER)]
    for left, number in enumerate(numbers):
        program.append((JUMP_IF_EQUAL, len(numbers) - left, 0, number))  # on to FIRST_ARGUMENT, past the return
    program += [
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 2, 0, 1),
        (JUMP_IF_EQUAL, 1, 0, 0xFFFFFFFF),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter_))


def spawn(argv: list[str], env: dict[str, str], cwd: str, files: list[int]) -> int:
    """Start the program with these as stdin, stdout and stderr; return its pid. Raises OSError as execve does."""
    failed, report = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid:
        os.close(report)
        with os.fdopen(failed, "rb") as failure:
            reason = failure.read()
        if reason:
            os.waitpid(pid, 0)
            raise OSError(int(reason), os.strerror(int(reason)))
        return pid
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should someone kill the shim itself
        os.setsid()
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)  # Python ignores SIGPIPE, the lab's caller perhaps SIGHUP
        for standard, fd in enumerate(files):
            os.dup2(fd, standard)
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C at it is a signal for the program
        os.chdir(cwd)
        os.execvpe(argv[0], argv, env)  # noqa: S606 (no shell is what is wanted)
    except OSError as error:
        os.write(report, str(error.errno).encode())
    finally:
        os._exit(1)


def descendants() -> list[int]:
    """The pids of all processes that descend from this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
            children.setdefault(parent, []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def heeds(pid: int, number: int) -> bool:
    """Whether a container's first process would notice this signal: the kernel drops those it has no handler for.

    One that it waits for by a signalfd(2) it notices; one that it blocks for the moment of a fork it doesn't, so while
    it is about something a blocked signal is looked at again.
    """
    if number == signal.SIGKILL:
        return True
    end = time.monotonic() + BUSY
    while True:
        with open(f"/proc/{pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        if int(fields["SigCgt"], 16) >> (number - 1) & 1:
            return True
        if not int(fields["SigBlk"], 16) >> (number - 1) & 1:
            return False
        if fields["State"].strip().startswith("S") or time.monotonic() > end:
            return True
        time.sleep(0.001)


class Log:
    """Output, each line after the time at which it began; what a program hasn't ended with a newline is there too."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._ended = True

    def write(self, data: bytes) -> None:
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ " % nanoseconds
        body = data[:-1] if data.endswith(b"\n") else data
        text = (stamp if self._ended else b"") + body.replace(b"\n", b"\n" + stamp) + data[len(body) :]
        self._ended = data.endswith(b"\n")
        while text:
            text = text[os.write(self._fd, text) :]

    def close(self) -> None:
        if not self._ended:
            os.write(self._fd, b"\n")
        os.close(self._fd)


def read_request() -> bytes:
    """The first line of stdin, after which the lab waits for an answer; empty where the lab is gone."""
    request = b""
    while not request.endswith(b"\n"):
        data = os.read(0, CHUNK)
        if not data:
            return b""
        request += data
    return request


class Shim:
    """One program and what descends from it."""

    def __init__(
        self,
        argv: list[str],
        env: dict[str, str],
        cwd: str,
        log: str | None,
        files: list[int | None],
        terminal: int | None,
    ) -> None:
        self.output, writer = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        chosen = [default if fd is None else fd for fd, default in zip(files, (nothing, writer, writer), strict=True)]
        for fd in chosen:
            os.set_inheritable(fd, False)  # but for the copies that the program gets
        if terminal is not None:
            os.dup2(terminal, self.output, inheritable=False)
            os.close(terminal)
        self.log = Log(log) if log else None
        self.head = b""  # of the output, where there is no log
        self.woken, waker = os.pipe()  # by SIGCHLD
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.exit: int | None = None
        try:
            self.pid = spawn(argv, env, cwd, chosen)
        finally:
            for fd in {nothing, writer, *chosen}:
                os.close(fd)

    def run(self) -> None:
        """Serve until the program ends or the lab does."""
        poll = select.poll()
        for fd in (0, self.output, self.woken):
            poll.register(fd, select.POLLIN)
        while self.exit is None:
            for fd, _ in poll.poll():
                if fd == self.woken:
                    os.read(self.woken, CHUNK)
                    while self.reap(os.WNOHANG):
                        pass
                elif fd == self.output:
                    if data := self.read():
                        self.keep(data)
                    else:
                        poll.unregister(self.output)  # the program has closed its stdout and stderr and runs on
                elif numbers := os.read(0, CHUNK):
                    for number in numbers.split():
                        self.signal(int(number))
                else:
                    return

    def read(self) -> bytes:
        """Some of the output; nothing once nobody can write any more."""
        try:
            return os.read(self.output, CHUNK)
        except OSError as error:
            if error.errno != errno.EIO:  # of a terminal whose other end is closed
                raise
            return b""

    def keep(self, data: bytes) -> None:
        if self.log:
            self.log.write(data)
        else:
            self.head += data[: OUTPUT_LIMIT - len(self.head)]

    def signal(self, number: int) -> None:
        """Send the program a signal, as a container runtime does."""
        if self.exit is None and heeds(self.pid, number):
            os.kill(self.pid, number)

    def reap(self, flags: int) -> bool:
        """Take note of one child that has ended, the program or an orphan of its; False where there is none."""
        try:
            pid, status = os.waitpid(-1, flags)
        except ChildProcessError:
            return False
        if pid == self.pid:
            code = os.waitstatus_to_exitcode(status)
            self.exit = code if code >= 0 else 128 - code  # as container runtimes number signals
        return pid != 0

    def end(self) -> None:
        """Kill what is left, generation by generation, and drain the log."""
        while True:
            for pid in descendants():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue  # it has just ended
            if not self.reap(0):
                break
        while data := self.read():
            self.keep(data)
        if self.log:
            self.log.close()


def tell(**report: object) -> None:
    """Report to the lab, if it is still there."""
    try:
        os.write(1, json.dumps(report).encode() + b"\n")
    except BrokenPipeError:
        return


def main() -> None:
    request = read_request()
    if not request:
        return
    try:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        shield_the_machine()
        shim = Shim(**json.loads(request))
    except OSError as error:
        tell(errno=error.errno, error=error.strerror)
        return
    tell(pid=shim.pid)
    try:
        shim.run()
    finally:
        shim.end()
    tell(exit=shim.exit, output=shim.head.decode(errors="replace"))


if __name__ == "__main__":
    main()
