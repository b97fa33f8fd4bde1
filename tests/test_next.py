"""Every page of the walk names the next one in its last line: from the README through every strategy to an end."""

import re
from pathlib import Path

import pytest

from catalogue import ROOT, demos

NEXT = re.compile(r"^Next: .*?\]\(([^)#]+)")


def next_page(page: Path) -> Path | None:
    """What a page's last line leads to; None where that names no next page."""
    last = page.read_text().rstrip().splitlines()[-1]
    found = NEXT.match(last)
    return (page.parent / found[1]).resolve() if found else None


def walk(page: Path) -> list[Path]:
    """The pages from this one to the end. Fails where they lead back to one of them."""
    walked = [page.resolve()]
    while following := next_page(walked[-1]):
        assert following not in walked, f"{walked[-1]} leads back to {following}"
        walked.append(following)
    return walked


def test_the_walk_passes_the_strategies_as_they_are_taught_then_every_other_page_and_ends() -> None:
    taught = dict.fromkeys(demo.name.partition("/")[0] for demo in demos())
    others = {ROOT / "compare" / "README.md", *(ROOT / "docs").rglob("*.md")}
    start, *walked = (str(page.relative_to(ROOT)) for page in walk(ROOT / "README.md"))
    assert (start, walked[: len(taught)]) == ("README.md", [f"{name}/README.md" for name in taught])
    assert set(walked[len(taught) :]) == {str(page.relative_to(ROOT)) for page in others}


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Three, of which the last is the end."""
    (tmp_path / "c").mkdir()
    (tmp_path / "a.md").write_text("Text.\n\nNext: [b](b.md), which is more.\n")
    (tmp_path / "b.md").write_text("Text.\n\nNext: what comes then: [c](c/README.md#try-it).\n")
    (tmp_path / "c" / "README.md").write_text("The end: [a](../a.md) was the first.\n")
    return tmp_path


def test_a_walk_follows_the_last_lines_to_the_page_that_names_none(pages: Path) -> None:
    assert walk(pages / "a.md") == [pages / "a.md", pages / "b.md", pages / "c" / "README.md"]


def test_a_walk_that_leads_back_fails(pages: Path) -> None:
    (pages / "c" / "README.md").write_text("Next: [b](../b.md).\n")
    with pytest.raises(AssertionError, match=r"README\.md leads back to .*b\.md"):
        walk(pages / "a.md")
