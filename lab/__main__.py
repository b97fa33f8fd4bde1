"""`python -m lab up` runs a lab until Ctrl-C; `run -- COMMAND …` runs one around a command, `shell` around a bash.

Files that a shell or kubectl reads first can name another cluster: an rc file that exports KUBECONFIG or makes an alias
of kubectl, a hook of the prompt, a kuberc. A tutorial's `kubectl delete` would go there. So the lab's shell is one that
reads none of them, and no command inherits what points a shell or kubectl at such a file.
"""

import argparse
import asyncio
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

try:
    from lab.apimachinery.errors import LabError
    from lab.cluster import cluster
except ModuleNotFoundError as error:  # another Python than that of .venv
    remedy = "`make lab` installs it; by hand it is .venv/bin/python -m lab"
    print(f"lab: {sys.executable} has no module {error.name}; {remedy}", file=sys.stderr)
    sys.exit(2)

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
BASH = ["bash", "--noprofile", "--norc"]  # whatever SHELL is: that one's rc files come after what it inherits
PROMPT = r"(lab) \w\$ "
READ_FIRST = ("BASH_ENV", "ENV", "PROMPT_COMMAND")
FUNCTIONS = "BASH_FUNC_"  # exported ones, which come before programs


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"lab: {message}; see python -m lab --help\n")


def main() -> int:
    parser = Parser(prog="python -m lab", description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|run|shell")
    up_parser = verbs.add_parser("up", help="run a lab until Ctrl-C, and print its KUBECONFIG")
    run_parser = verbs.add_parser("run", help="run a command in a lab of its own, as in: lab run -- kubectl get nodes")
    run_parser.add_argument("command", nargs="+", metavar="COMMAND", help="finds the lab by KUBECONFIG")
    shell_parser = verbs.add_parser("shell", help="run a bash in a lab of its own, which reads no rc file of yours")
    for verb in (up_parser, run_parser, shell_parser):
        verb.add_argument("--dns-ttl", type=_seconds, default=30, metavar="SECONDS", help=TTL_HELP)
    arguments = parser.parse_args()
    try:
        ttl = arguments.dns_ttl
        match arguments.verb:
            case "up":
                return asyncio.run(_up(ttl))
            case "shell":
                return asyncio.run(_shell(ttl))
            case _:
                return asyncio.run(_run(arguments.command, ttl))
    except* LabError as errors:  # of components too, which run side by side
        for error in errors.exceptions:
            print(f"lab: {error}", file=sys.stderr)
    return 2


TTL_HELP = "how long the lab's DNS keeps an answer, as --dns-ttl 5 (default: 30, as the stock CoreDNS)"


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, such as 5")
    return int(text)


async def _up(dns_ttl: int) -> int:
    """Run a lab until a signal."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with cluster(dns_ttl) as kubeconfig:
        print(_export(kubeconfig), flush=True)
        print("lab: running until Ctrl-C", file=sys.stderr)
        await stop.wait()
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl-C need not wait for anything
    return 0


async def _shell(dns_ttl: int) -> int:
    """Run a bash in a lab of its own. How the last command typed there ended is no failure of the lab."""
    async with cluster(dns_ttl) as kubeconfig:
        print(f"lab: for other terminals: {_export(kubeconfig)}", file=sys.stderr)
        await _command(_program(BASH[0]), BASH[1:], kubeconfig)
    return 0


async def _run(command: list[str], dns_ttl: int) -> int:
    """Run a command in a lab of its own; return its exit status as a shell would."""
    program = _program(command[0])
    async with cluster(dns_ttl) as kubeconfig:
        status = await _command(program, command[1:], kubeconfig)
    return status if status >= 0 else 128 - status


def _export(kubeconfig: Path) -> str:
    """What a shell can run as it is."""
    return f"export KUBECONFIG={shlex.quote(str(kubeconfig))}"


def _path() -> str:
    """PATH for what runs in the lab: `python` is the lab's own, so that `python -m compare` finds what it needs."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _program(name: str) -> str:
    """Its path. Raises LabError."""
    if program := shutil.which(name, path=_path()):
        return program
    why = "there is no such program on PATH; install it, or try: lab run -- ANOTHER"
    raise LabError(f"cannot run {name}: {why}")


def _environment(kubeconfig: Path) -> dict[str, str]:
    """What a command in the lab is told of clusters: where the lab is, and nothing else."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in READ_FIRST and not name.startswith(FUNCTIONS)
    }
    return inherited | {"KUBECONFIG": str(kubeconfig), "KUBERC": "off", "PS1": PROMPT, "PATH": _path()}


async def _command(program: str, arguments: list[str], kubeconfig: Path) -> int:
    """Run it in the lab until it ends; return its status, below 0 for a signal's number."""
    process = await asyncio.create_subprocess_exec(program, *arguments, env=_environment(kubeconfig))
    loop = asyncio.get_running_loop()
    for number in FORWARDED:
        loop.add_signal_handler(number, process.send_signal, number)
    # Ctrl-C at a terminal reaches the command by itself.
    own_terminal = os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    interrupt = (lambda: None) if own_terminal else (lambda: process.send_signal(signal.SIGINT))
    loop.add_signal_handler(signal.SIGINT, interrupt)
    return await process.wait()


if __name__ == "__main__":
    sys.exit(main())
