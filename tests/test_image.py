"""`k8s/image` gives the image another name wherever a reader's command sends one, and takes it back."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from catalogue import ROOT, strategies
from tests.pages import pages

OTHER = "registry.example.com:5000/team/greeter:1.0"
SENT = re.compile(r"(?:image: |--image=)(\S*greeter:\S+)")
PAGES = [page.relative_to(ROOT) for page in pages()]
MANIFESTS = [file.relative_to(ROOT) for strategy in strategies() for file in strategy.glob("manifests/**/*.yaml")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Of the checkout, by a path that a shell would take apart."""
    root = tmp_path / "a copy"
    for name in (*PAGES, *MANIFESTS, Path("k8s/image")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


def rename(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([copy / "k8s/image", *arguments], capture_output=True, text=True)


def sent(root: Path) -> list[str]:
    """The names of the image in all manifests and commands."""
    return [name for file in (*PAGES, *MANIFESTS) for name in SENT.findall((root / file).read_text())]


def test_every_command_and_manifest_names_it_and_back_they_are_as_before(copy: Path) -> None:
    count = len(sent(ROOT))
    assert count > len(strategies())
    for name in (OTHER, "greeter:2"):
        assert rename(copy, name).returncode == 0
        assert sent(copy) == [name] * count
    rename(copy, "greeter:dev")
    for file in (*PAGES, *MANIFESTS):
        assert (copy / file).read_bytes() == (ROOT / file).read_bytes()


@pytest.mark.parametrize("arguments", [[], ["greeter"], ["registry.example.com/other:dev"], ["a b/greeter:dev"]])
def test_what_is_no_name_of_it_is_refused_and_changes_nothing(copy: Path, arguments: list[str]) -> None:
    done = rename(copy, *arguments)
    example = "it ends in greeter:TAG, as registry.example.com/team/greeter:dev"
    said = f"k8s/image: '{' '.join(arguments)}' is no name of this image; {example}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert sent(copy) == sent(ROOT)
