"""The environments of tox.ini: what `tox run` runs."""

import configparser
import re
from collections.abc import Iterable
from pathlib import Path

from catalogue import ROOT


def environments() -> dict[str, list[str]]:
    """The commands of each environment of env_list."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    names = re.split(r"[,\s]+", tox["tox"]["env_list"].strip())
    return {name: _commands(tox, name) for name in names}


def _commands(tox: configparser.ConfigParser, name: str) -> list[str]:
    own = f"testenv:{name}"
    commands = tox.get(own if tox.has_option(own, "commands") else "testenv", "commands")
    return commands.replace("{env_name}", name).replace("\\\n", " ").strip().splitlines()


def untested(environments: dict[str, list[str]], directories: Iterable[Path]) -> list[Path]:
    """Those of the directories, relative to the root, whose tests no environment runs."""

    def runs(command: str, directory: Path) -> bool:
        _, pytest, words = command.partition("pytest ")
        if not pytest or any(directory.is_relative_to(path) for path in re.findall(r"--ignore=(\S+)", words)):
            return False
        if "--others" in words.split():
            return directory.parts[0] not in environments
        return any(directory.is_relative_to(word) for word in words.split())

    commands = [command for listed in environments.values() for command in listed]
    return [directory for directory in directories if not any(runs(command, directory) for command in commands)]
