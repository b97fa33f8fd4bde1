"""Generates the stubs beside every `*/*.proto`: `python -m tests.protos`; with `--check`, only compares."""

import os
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

from catalogue import ROOT


def generate(root: Path, into: Path) -> None:
    protos = sorted(os.fspath(path.relative_to(root)) for path in root.glob("*/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    command = ["protoc", f"-I{root}", f"-I{well_known}"]
    command += [f"--plugin={sysconfig.get_path('scripts')}/protoc-gen-{kind}" for kind in ("mypy", "mypy_grpc")]
    command += [f"--{kind}_out=quiet:{into}" for kind in ("mypy", "mypy_grpc")]
    command += [f"--{kind}_out={into}" for kind in ("python", "grpc_python")]
    if protoc.main([*command, *protos]):
        sys.exit(f"protoc refused one of {', '.join(protos)}")


def stubs(root: Path) -> dict[str, bytes]:
    """What is in the generated files, by name."""
    return {os.fspath(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*_pb2*.py*")}


def check(root: Path) -> None:
    """Exits with the names of stubs that are not what the proto files give: stale, missing, or of no proto file."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(root, Path(scratch))
        fresh, committed = stubs(Path(scratch)), stubs(root)
    if stale := sorted(name for name in fresh | committed if fresh.get(name) != committed.get(name)):
        sys.exit(f"{', '.join(stale)}: not what the proto files give; run python -m tests.protos and commit")
    print(f"{len(fresh)} generated files are up to date")


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        check(ROOT)
    else:
        generate(ROOT, ROOT)


if __name__ == "__main__":
    main()
