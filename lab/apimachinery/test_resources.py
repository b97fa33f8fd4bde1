"""The kinds that the lab has."""

import re
from pathlib import Path

from lab.apimachinery.resources import RESOURCES

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_names_each_kind_and_no_other() -> None:
    [names] = re.findall(r"has these kinds and no others: ([^.]+)\.", README.read_text())
    assert sorted(re.split(r",\s+", names)) == sorted(resource.kind for resource in RESOURCES.values())
