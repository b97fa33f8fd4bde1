"""Who may import whom, checked by import-linter for every package found: `python -m tests.layers`.

The configuration is made here rather than written down, so that a new strategy is checked without a line for it.
"""

import os
import sys
import tempfile
from collections.abc import Iterable

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from catalogue import ROOT, strategies

LAYERS = [
    ["testing"],
    # Siblings by "|" may not import each other: no strategy another, nor the lab or compare any strategy.
    [*(directory.name for directory in strategies()), "lab", "compare"],
    ["greeter_server", "greeter_client", "endpoint_watch"],
    ["catalogue", "helloworld"],
]
LAB = [
    # The lab's components meet at the store alone.
    ["lab.cluster"],
    ["lab.addons"],
    ["lab.apiserver", "lab.controllers", "lab.kubelet", "lab.coredns", "lab.kube_proxy"],
    ["lab.objects", "lab.runtime"],
    # The ingress controller knows the Kubernetes API alone.
    ["lab.apimachinery", "lab.ingress_nginx"],
]
LOG = "lab.apiserver.resthandlers -> lab.kubelet.podlogs"  # a log is asked of the kubelet, as there


def by_tests(packages: Iterable[str], imported: str) -> list[str]:
    """The exceptions for tests, which put together what they need."""
    tests = [
        test.relative_to(ROOT).with_suffix("")
        for package in packages
        for name in ("test_*.py", "conftest.py")
        for test in sorted((ROOT / package).rglob(name))
    ]
    return [f"{'.'.join(test.parts)} -> {imported}.**" for test in tests]


def contract(name: str, layers: list[list[str]], exceptions: list[str]) -> list[str]:
    """The lines of a contract: a layer imports those below it only, and its members not each other."""
    return [
        f"[importlinter:contract:{name}]",
        f"name = {name}",
        "type = layers",
        "layers =",
        *indented(map(" | ".join, layers)),
        "ignore_imports =",
        *indented(exceptions),
        "unmatched_ignore_imports_alerting = none",  # not every test imports what it may
    ]


def indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def main() -> int:
    layers = [[name for name in layer if (ROOT / name / "__init__.py").exists()] for layer in LAYERS]
    packages = [name for layer in layers for name in layer]
    lines = ["[importlinter]", "root_packages =", *indented(packages)]
    lines += contract("tests > strategies > what they share > the contract", layers, by_tests(packages, "testing"))
    lines += contract("the lab > its components > what they stand on", LAB, [LOG, *by_tests(["lab"], "lab")])
    sys.path.insert(0, os.fspath(ROOT))
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write("\n".join(lines))
        config.flush()
        return int(lint_imports(config_filename=config.name, cache_dir=None))


if __name__ == "__main__":
    sys.exit(main() != EXIT_STATUS_SUCCESS)
