"""How many blocks the pages have, and what becomes of each: `python -m tests.blocks`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.pages import CLUSTER_ONLY, Block, blocks, pages

GROUPS = {
    "run": "blocks of commands are run",
    "not run": "blocks of commands are not run, and say why",
    "compared": "blocks of text are compared with what was printed",
    "not compared": "blocks of text are not: pictures, mostly",
}
OUTPUTS = {  # the comment before a block of text → how it is compared
    "any order": "line by line, in any order",
    "excerpt": "some of the lines, but for numbers",
}


def kinds(page: Path) -> Iterator[tuple[str, str]]:
    """Of each block of commands and of text the group, and how it is run or compared, or why not."""
    command: Block | None = None  # whose output may follow
    for block in blocks(page.read_text()):
        if block.is_shell:
            yield ("run", where(page, block)) if block.is_run else ("not run", block.reason or "it doesn't say why")
            command = block if block.is_run else None
        elif block.info.split()[:1] == ["text"]:
            yield (
                ("compared", compared(command, block))
                if command
                else ("not compared", "it is of no command that is run")
            )
            command = None


def where(page: Path, block: Block) -> str:
    named, needed = block.said("on: (lab|cluster)"), block.said(r"with: (\S+)")
    if page in CLUSTER_ONLY or (named and named[1] == "cluster"):
        return "on a cluster only"
    if named:
        return "on the lab only"
    return "on the lab and on a cluster" + (f", with {needed[1]}" if needed else "")


def compared(command: Block, text: Block) -> str:
    if command.said("beside"):
        return "the first lines of what goes on beside"
    return next((how for said, how in OUTPUTS.items() if text.said(said)), "line by line")


def counts(of: Iterable[Path]) -> Counter[tuple[str, str]]:
    return Counter(kind for page in of for kind in kinds(page))


def main() -> None:
    found = counts(pages())
    for group, title in GROUPS.items():
        of_group = Counter({kind: number for (each, kind), number in found.items() if each == group})
        print(f"{of_group.total():4} {title}")
        for kind, number in of_group.most_common():
            print(f"{number:8} {kind}")


if __name__ == "__main__":
    main()
