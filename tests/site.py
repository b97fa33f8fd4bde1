"""Lays the pages out for the site: `python -m tests.site`, and then `zensical build`, which reads mkdocs.yml.

A page of the site lies where it lies here. A file that a page links to becomes a page that shows it, and a directory
becomes a page that lists it, so that every link leads somewhere. It all goes to build/pages, and nothing to git.
"""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from catalogue import ROOT
from tests.pages import FENCE, LINK, pages

OUT = Path("build", "pages")  # docs_dir of mkdocs.yml
ASSETS = [Path("docs", "site.css"), Path("docs", "site.js")]  # extra_css, extra_javascript
IMAGES = {".gif", ".png", ".svg"}
LANGUAGES = {".go": "go", ".json": "json", ".proto": "proto", ".py": "python", ".toml": "toml", ".yaml": "yaml"}
# Of what is no page here. The search finds pages alone.
HEAD = "---\nhide: [toc]\nsearch: {{exclude: true}}\n---\n\n# `{}`\n\n"
FENCE_OF_FILES = "~" * 8


class Site:
    """What is laid out so far."""

    def __init__(self, root: Path, out: Path) -> None:
        self.root, self.out = root.resolve(), out

    def lay_out(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        for page in pages(self.root):
            self.write(page, self.page(page))
        for asset in ASSETS:
            shutil.copy(self.root / asset, self.out / asset)
        if mermaid := find_spec("mermaidx"):  # which brings mermaid itself
            shutil.copy(Path(str(mermaid.origin)).parent / "assets" / "mermaid.js", self.out / "docs")

    def write(self, source: Path, text: str) -> None:
        path = self.out / source.relative_to(self.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def page(self, page: Path) -> str:
        """Its text, with links that lead to pages alone."""

        def lead(match: re.Match[str]) -> str:
            path, mark, anchor = match[2].partition("#")
            return match[1] + (self.leads(page.parent, path) if path and ":" not in path else path) + mark + anchor

        text, start, parts = page.read_text(), 0, []
        for block in FENCE.finditer(text):
            parts += [LINK.sub(lead, text[start : block.start()]), block[0]]
            start = block.end()
        return "".join([*parts, LINK.sub(lead, text[start:])])

    def leads(self, here: Path, link: str) -> str:
        """What a link to a file or directory becomes. One to nothing stays, for the build to report."""
        path = (here / link).resolve()
        if not path.exists() or not path.is_relative_to(self.root) or path.suffix == ".md":
            return link
        if path.is_dir():
            page = self.list(path)
        elif path.suffix in IMAGES:
            (self.out / path.relative_to(self.root)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, self.out / path.relative_to(self.root))
            return link
        else:
            page = self.show(path)
        return os.path.relpath(page, here)

    def show(self, file: Path) -> Path:
        """A page with what a file says."""
        name = file.relative_to(self.root)
        # A site has no hidden files.
        page = self.root.joinpath(*(part.lstrip(".") for part in name.parent.parts), f"{name.name}.md")
        text = f"{FENCE_OF_FILES}{LANGUAGES.get(file.suffix, 'text')}\n{file.read_text().rstrip()}\n{FENCE_OF_FILES}\n"
        self.write(page, HEAD.format(name) + text)
        return page

    def list(self, directory: Path) -> Path:
        """The page of a directory: its README, or one with its files."""
        if (directory / "README.md").exists():
            return directory / "README.md"
        page = directory / "files.md"  # beside policies/ there is a page policies.md
        names = [
            path.name for path in sorted(directory.iterdir()) if path.name[0] != "." and path.name != "__pycache__"
        ]
        rows = [f"- [`{name}`]({self.leads(directory, name)})\n" for name in names]
        self.write(page, HEAD.format(f"{directory.relative_to(self.root)}/") + "".join(rows))
        return page


if __name__ == "__main__":
    Site(ROOT, ROOT / OUT).lay_out()
