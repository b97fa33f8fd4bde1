"""The strategies: whatever has a client and manifests is one, so that a new one cannot go untested."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PARTS = ("order", "picks", "spread", "scale_out", "drills")  # of expectations.toml
ROOT = Path(__file__).parent.parent


class CatalogueError(Exception):
    """A strategy that isn't as CONTRIBUTING.md says: the fact, the value, the remedy."""


@dataclass(frozen=True)
class Demo:
    """A strategy, or one variant of it: what a single `kubectl apply -f` sends."""

    name: str  # client_roundrobin, or ingress/grpc
    manifests: Path
    expectations: dict[str, Any]

    def objects(self) -> list[dict[str, Any]]:
        """What its manifests hold. Raises CatalogueError for one that is no manifest."""
        files = sorted(self.manifests.glob("*.yaml"))
        return [obj for file in files for obj in parsed(file.read_text(), f"{self.name}: {file.name}")]


def strategies() -> list[Path]:
    """The directories of all strategies."""
    return sorted(client.parent for client in ROOT.glob("*/client.py") if (client.parent / "manifests").is_dir())


def demos() -> list[Demo]:
    """Everything that can be applied, with what it must show, in the order in which it is taught.

    A variant's expectations override its strategy's. Raises CatalogueError for expectations that can't be read.
    """
    found = []
    for strategy in strategies():
        try:
            expectations = tomllib.loads((strategy / "expectations.toml").read_text())
        except (OSError, ValueError) as error:
            raise CatalogueError(f"{strategy.name}/expectations.toml: {error}; see CONTRIBUTING.md") from error
        if lacking := [part for part in PARTS if part not in expectations]:
            raise CatalogueError(f"{strategy.name}/expectations.toml lacks {', '.join(lacking)}; see CONTRIBUTING.md")
        variants = expectations.pop("variants", {})
        directories = sorted(path for path in (strategy / "manifests").iterdir() if path.is_dir())
        if not directories:
            found.append(Demo(strategy.name, strategy / "manifests", expectations))
        for directory in directories:
            name = f"{strategy.name}/{directory.name}"
            found.append(Demo(name, directory, expectations | variants.get(directory.name, {})))
    return sorted(found, key=lambda demo: demo.expectations["order"])


def chosen(names: Sequence[str]) -> list[Demo]:
    """The demos of these names, all of them for none; a strategy's name stands for all its variants.

    Raises CatalogueError for a name that is none.
    """
    everything = demos()
    for name in names:
        if not any(name in (demo.name, demo.name.partition("/")[0]) for demo in everything):
            known = ", ".join(demo.name for demo in everything)
            raise CatalogueError(f"there is no strategy '{name}'; there are {known}")
    return [demo for demo in everything if not names or {demo.name, demo.name.partition("/")[0]} & set(names)]


def parsed(text: str, where: str) -> list[dict[str, Any]]:
    """The Kubernetes objects of a YAML text. Raises CatalogueError, which says where that is."""
    try:
        objects = [obj for obj in yaml.safe_load_all(text) if obj]
        if all(obj["kind"] and obj["apiVersion"] and obj["metadata"]["name"] for obj in objects):
            return objects
        reason = "kind, apiVersion or name is empty"
    except (yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
    raise CatalogueError(f"{where} is no YAML of Kubernetes objects: {reason}")
