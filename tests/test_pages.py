"""Every page's commands are run, or it says why not; and its links lead somewhere, on GitHub and on the site."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from catalogue import ROOT
from tests.blocks import counts
from tests.pages import anchors, blocks, links, pages
from tests.tutorial import tutorials

PAGES = pages()
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def unsaid(text: str) -> list[str]:
    """The blocks of commands that are neither run nor say why."""
    return [
        f"line {block.line}: {block.info}"
        for block in blocks(text)
        if block.is_shell and not block.is_run and not block.reason
    ]


def faults(page: Path) -> list[str]:
    """The links that lead nowhere, or to a host by anything but https."""
    found = []
    for link in links(text := page.read_text()):
        if re.match(r"[a-z+.-]+:|//", link):
            url = urlsplit(link)
            if url.scheme != "https" or not re.fullmatch(r"([a-z0-9-]+\.)+[a-z]+", url.netloc):
                found.append(f"{link} is no https:// address")
            continue
        name, _, anchor = link.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            found.append(f"there is no {name}")
        elif anchor and anchor not in anchors(path.read_text() if name else text):
            found.append(f"{path.name} has no heading #{anchor}")
    return found


@EACH
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    assert unsaid(page.read_text()) == []


@EACH
def test_every_link_leads_somewhere(page: Path) -> None:
    assert faults(page) == []


@EACH
def test_what_is_said_to_be_run_is_what_the_tests_find(page: Path) -> None:
    examples = [example.region for example in tutorials().parse(page).examples()]
    text = page.read_text()
    found = [re.match(r"\W*sh\n", text[region.start :]) for region in examples]
    assert len([each for each in found if each]) == len([block for block in blocks(text) if block.is_run])


def test_the_counts_are_all_blocks() -> None:
    fences = re.findall(r"^[ \t>*+-]*```(sh|bash|console|text)\b", "\n".join(map(Path.read_text, PAGES)), re.MULTILINE)
    assert counts(PAGES).total() == len(fences)


@pytest.mark.parametrize(
    "info",
    ["bash", "console", "sh title='not run by the tests: no double quotes'", 'sh title="not run by the tests: "'],
)
def test_a_block_that_says_nothing_is_seen(info: str) -> None:
    page = (
        f'```sh\ntrue\n```\n\n- ```{info}\n  true\n  ```\n\n```sh title="not run by the tests: it fails"\nfalse\n```\n'
    )
    assert unsaid(page) == [f"line 5: {info}"]


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("a.md#its-own-heading-1", ""),
        ("#its-own-heading", ""),
        ("https://kubernetes.io/docs#x", ""),
        ("b.md", "there is no b.md"),
        ("#its-heading", "a.md has no heading #its-heading"),
        ("a.md#its-own-heading-2", "a.md has no heading #its-own-heading-2"),
        ("http://kubernetes.io", "http://kubernetes.io is no https:// address"),
        ("https://localhost/x", "https://localhost/x is no https:// address"),
    ],
)
def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path, link: str, fault: str) -> None:
    (page := tmp_path / "a.md").write_text(f"# Its `own` heading\n\n[x]({link}) `[y](no.md)`\n\n## Its own heading\n")
    assert faults(page) == ([fault] if fault else [])
