"""What pages show of the repository's files is what the files say.

A comment before a fenced block names the file that the block is from. A line `…` stands for what is left out; what is
between two of these is in the file line for line, in this order, though it may be indented less:

    <!-- from: client_envoy/manifests/client.yaml -->

Or it names two files, and the block shows what has to change in the first to get the second. Lines without their `-`
are the second's, lines without their `+` the first's:

    <!-- diff: clusterip/client.py client_roundrobin/client.py -->
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from catalogue import ROOT

BLOCK = re.compile(r"^<!-- (from|diff): ([^>\n]+) -->\n\n?```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    """A block of a page that shows lines of files."""

    kind: str  # from, diff
    files: tuple[str, ...]
    text: str

    def faults(self) -> list[str]:
        """What it shows that its files don't say; [] where all is well."""
        if missing := [name for name in self.files if not (ROOT / name).is_file()]:
            return [f"there is no {name}" for name in missing]
        texts = [(ROOT / name).read_text().splitlines() for name in self.files]
        lines = self.text.splitlines()
        if self.kind == "from":
            return _not_in(self.files[0], texts[0], _parts(lines))
        before, after = _without("+", lines), _without("-", lines)
        return [
            *_not_in(self.files[0], texts[0], before),
            *_not_in(self.files[1], texts[1], after),
            *("shows as a change what is none:\n" + "\n".join(part) for part in after if _find(part, texts[0], 0)),
        ]


def _not_in(name: str, have: Sequence[str], parts: Iterable[list[str]]) -> list[str]:
    """The parts that aren't in a file, or not below the part before."""
    start, faults = 0, []
    for part in parts:
        if end := _find(part, have, start):
            start = end
        else:
            faults.append("\n".join([f"shows what {name} doesn't say:", *part]))
    return faults


def _find(part: Sequence[str], have: Sequence[str], start: int) -> int | None:
    """Where, from a start on, some lines end; None where they aren't."""
    wanted = dedent("\n".join(part))
    for end in range(start + len(part), len(have) + 1):
        if dedent("\n".join(have[end - len(part) : end])) == wanted:
            return end
    return None


def _without(sign: str, lines: Sequence[str]) -> list[list[str]]:
    """The parts of a diff as one of its two files has them."""
    return list(_parts([line if line == "…" else line[1:] for line in lines if not line.startswith(sign)]))


def _parts(lines: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for line in [*lines, "…"]:
        if line.strip(" #") != "…":
            part.append(line)
        elif part:
            yield part
            part = []


def shown(page: Path) -> list[Shown]:
    """The blocks of a page that show lines of files."""
    found = BLOCK.findall(page.read_text())
    return [Shown(kind, tuple(files.split()), text) for kind, files, text in found]
