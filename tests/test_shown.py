"""The lines of code and YAML that a page shows are the files' own."""

from pathlib import Path

import pytest

from catalogue import ROOT, strategies
from tests.pages import pages
from tests.shown import shown


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_the_files_say(page: Path) -> None:
    faults = [fault for block in shown(page) for fault in block.faults()]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("strategy", strategies(), ids=lambda path: path.name)
def test_a_tutorial_shows_the_lines_that_make_the_difference(strategy: Path) -> None:
    kinds = {block.kind for block in shown(strategy / "README.md")}
    assert "from" in kinds
    assert "diff" in kinds or strategy.name == "clusterip", "what changes from the strategy before it"


FROM = "<!-- from: clusterip/manifests/server.yaml -->\n\n```yaml\n{}```\n"
DIFF = "<!-- diff: clusterip/manifests/server.yaml client_roundrobin/manifests/server.yaml -->\n\n```diff\n{}```\n"


@pytest.mark.parametrize(
    ("page", "faults"),
    [
        (FROM.format("kind: Service\n…\nreplicas: 3\n"), 0),
        (FROM.format("replicas: 3\n…\nkind: Service\n"), 1),  # in another order
        (FROM.format("kind: Service\n  replicas: 3\n"), 1),  # with something left out, unsaid
        (FROM.format("replicas: 4\n"), 1),
        (FROM.replace("server.yaml", "no.yaml").format("replicas: 3\n"), 1),
        (DIFF.format(" spec:\n+  clusterIP: None\n   selector: {app.kubernetes.io/name: greeter, …\n"), 2),
        (DIFF.format(" spec:\n+  clusterIP: None\n"), 0),
        (DIFF.format(" spec:\n-  clusterIP: None\n"), 2),
        (DIFF.format("   name: greeter-server\n"), 1),  # no change
    ],
)
def test_a_block_that_is_not_the_files_is_seen(tmp_path: Path, page: str, faults: int) -> None:
    (path := tmp_path / "page.md").write_text(page)
    assert len([fault for block in shown(path) for fault in block.faults()]) == faults
