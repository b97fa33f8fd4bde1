"""Who may import whom, checked by import-linter for every package found: `python -m tests.layers`.

The configuration is made here rather than written down, so that a new strategy is checked without a line for it.
"""

import os
import sys
import tempfile

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from compare.strategies import ROOT, strategies

LAYERS = [
    # Siblings by "|" may not import each other: no strategy another, nor the lab or compare any strategy.
    [*(directory.name for directory in strategies()), "lab", "compare"],
    ["greeter_server", "greeter_client", "endpoint_watch"],
    ["helloworld"],
]


def main() -> int:
    layers = [[name for name in layer if (ROOT / name / "__init__.py").exists()] for layer in LAYERS]
    lines = ["[importlinter]", "root_packages =", *(f"    {name}" for layer in layers for name in layer)]
    lines += ["[importlinter:contract:layers]", "name = strategies > what they share > the contract", "type = layers"]
    lines += ["layers =", *(f"    {' | '.join(layer)}" for layer in layers)]
    sys.path.insert(0, os.fspath(ROOT))
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write("\n".join(lines))
        config.flush()
        return int(lint_imports(config_filename=config.name, cache_dir=None))


if __name__ == "__main__":
    sys.exit(main() != EXIT_STATUS_SUCCESS)
