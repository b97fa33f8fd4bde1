"""The site has every page, in the order of the walk, as GitHub shows it; a link that leads nowhere fails its build."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from catalogue import ROOT
from tests.pages import anchors, pages
from tests.site import OUT, Site
from tests.test_next import walk

pytest.importorskip("zensical", reason="the extra `docs` is not installed")
PAGES = [page.relative_to(ROOT) for page in pages()]
EACH = pytest.mark.parametrize("page", PAGES, ids=str)
COUNTED = {"h1", "h2", "h3", "h4", "li", "ol", "ul", "table", "tr", "pre", "strong", "em", "blockquote"}


def build(root: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--clean", *flags]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def plain(done: subprocess.CompletedProcess[str]) -> str:
    """What it said, without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)


def copied(to: Path) -> Path:
    """The pages as they are laid out, in a directory that mkdocs.yml is in."""
    shutil.copy(ROOT / "mkdocs.yml", to)
    Site(ROOT, to / OUT).lay_out()
    return to


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It is made even where something in it is wrong."""
    done = build(root := copied(tmp_path_factory.mktemp("site")))
    (root / "said").write_text(plain(done))
    return root / "build" / "site"


def config() -> Any:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    return yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)  # noqa: S506, a safe one


def navigation(part: Any) -> list[str]:
    """The pages, from first to last."""
    if isinstance(part, str):
        return [part]
    return [page for each in (part.values() if isinstance(part, dict) else part) for page in navigation(each)]


class Article(HTMLParser):
    """What a page of the site has between its header and its footer."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inside = 0
        self.tags, self.ids, self.loaded = Counter[str](), set[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag in ("img", "script", "iframe", "video") or (tag == "link" and have.get("rel") != "canonical"):
            self.loaded += [have[name] for name in ("src", "href") if name in have]
        self.ids |= {have["id"]} if "id" in have else set()
        self.inside += tag == "article"
        if self.inside and tag in COUNTED:
            self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "article"


def article(site: Path, page: Path) -> Article:
    directory = page.parent if page.name == "README.md" else page.with_suffix("")
    return Article((site / directory / "index.html").read_text())


def test_nothing_is_wrong_with_it(site: Path) -> None:
    said = (site / ".." / ".." / "said").read_text()
    assert "Warning" not in said, said
    assert "No issues found" in said, said


@EACH
def test_a_page_has_what_it_has_on_github(site: Path, page: Path) -> None:
    """As many headings, lists, tables and so on. A line with a dash is a list to one and none to another."""
    text = (ROOT / page).read_text()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    flat = [each for token in tokens for each in (token, *(token.children or ()))]
    expected = Counter(token.tag for token in flat if token.nesting == 1 and token.tag in COUNTED)
    expected["pre"] += sum(token.type in ("fence", "code_block") for token in tokens)
    shown = article(site, page)
    assert shown.tags == +expected
    assert anchors(text) <= shown.ids


@EACH
def test_a_page_loads_nothing_from_other_hosts(site: Path, page: Path) -> None:
    assert [link for link in article(site, page).loaded if "//" in link] == []


def test_what_draws_a_picture_is_beside_the_script_that_loads_it(site: Path) -> None:
    """Where there is a global `mermaid`, the theme loads none from another host."""
    assert 'globalThis["mermaid"] =' in (site / "docs" / "mermaid.js").read_text()
    assert "mermaid.js" in (site / "docs" / "site.js").read_text()
    assert any(link.endswith("docs/site.js") for link in article(site, Path("README.md")).loaded)


def test_a_block_that_is_not_run_says_so(site: Path) -> None:
    assert "not run by the tests: it needs Docker</span>" in (site / "index.html").read_text()


def test_a_file_that_a_page_links_to_is_shown_and_a_directory_listed(site: Path) -> None:
    page = (site / "ingress" / "index.html").read_text()
    for link, text in (("client.py/", "open_channel"), ("manifests/grpc/files/", "server.yaml")):
        assert f'href="{link}"' in page
        assert text in (site / "ingress" / link / "index.html").read_text()


def test_it_has_every_page_in_the_order_of_the_walk() -> None:
    listed = navigation(config()["nav"])
    assert sorted(listed) == sorted(map(str, PAGES))
    walked = [str(page.relative_to(ROOT)) for page in walk(ROOT / "README.md")]
    assert [page for page in listed if page in walked] == walked


def test_links_that_lead_nowhere_fail_the_build(tmp_path: Path) -> None:
    """To pages and anchors, that is. tests/test_pages.py sees those to files."""
    root = copied(tmp_path)
    with (root / OUT / "clusterip" / "README.md").open("a") as page:
        page.write("\n[1](no.md), [2](#no), [3](../README.md#no), [4](client.py.md#no)\n")
    done = build(root, "--strict")
    assert done.returncode != 0
    assert plain(done).count("clusterip/README.md") == 4, plain(done)
