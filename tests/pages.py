"""The pages: every Markdown file of the repository, found, so that a new one goes neither unread nor unchecked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from catalogue import ROOT

# As tests/tutorial.py finds them: in lists and quotes, too.
FENCE = re.compile(
    r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})([^\n`]*)\n(.*?)^[ \t>]*\1[ \t]*$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"""(\]\(|\b(?:href|src|srcset)=")([^)\s"]+)""")
SHELLS = {"sh", "bash", "console", "shell", "shell-session", "zsh"}
CLUSTER_ONLY = {ROOT / "docs" / "autoscaling" / "README.md"}  # the lab has no autoscaler


class Block(NamedTuple):
    """A fenced block of a page."""

    info: str  # sh title="not run by the tests: it needs Docker"
    before: str  # the page's text up to it

    @property
    def is_shell(self) -> bool:
        return self.info.partition(" ")[0] in SHELLS

    @property
    def is_run(self) -> bool:
        return self.info == "sh"

    @property
    def reason(self) -> str | None:
        """Why it isn't run."""
        reason = re.fullmatch(r'sh title="not run by the tests: (\S.*)"', self.info)
        return reason and reason[1]

    @property
    def line(self) -> int:
        return self.before.count("\n") + 1

    def said(self, pattern: str) -> re.Match[str] | None:
        """The comment of this form before it."""
        return comment(self.before, pattern)


def comment(before: str, pattern: str) -> re.Match[str] | None:
    """The comment of this form in which a text ends, or in one of several."""
    return re.search(rf"<!-- {pattern} -->(?:\s*<!-- [^>]* -->)*\s*\Z", before)


def pages(root: Path = ROOT) -> list[Path]:
    """All of them, but those of hidden directories and of `build`."""
    found = []
    for directory, below, files in os.walk(root):
        below[:] = [name for name in below if name[0] != "." and name not in ("build", "node_modules")]
        found += [Path(directory, name) for name in files if name.endswith(".md")]
    return sorted(found)


def blocks(text: str) -> list[Block]:
    return [Block(match[2].strip(), text[: match.start()]) for match in FENCE.finditer(text)]


def prose(text: str) -> str:
    """A page without its blocks and code."""
    return re.sub(r"`[^`\n]+`", "`…`", FENCE.sub("", text))


def links(text: str) -> Iterator[str]:
    """What a page leads to, as it says it."""
    return (match[2] for match in LINK.finditer(prose(text)))


def anchors(text: str) -> set[str]:
    """Those of a page's headings, as GitHub makes them."""
    found = set[str]()
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while anchor in found:
            anchor = f"{slug}-{(number := number + 1)}"
        found.add(anchor)
    return found
