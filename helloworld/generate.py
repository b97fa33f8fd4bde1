"""Generates the stubs beside `helloworld.proto`: `python -m helloworld.generate`; with `--check`, only compares."""

import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
PROTO = "helloworld/helloworld.proto"


def generate(into: Path) -> None:
    well_known = resources.files("grpc_tools") / "_proto"
    outputs = [f"--{kind}_out=quiet:{into}" for kind in ("mypy", "mypy_grpc")]
    outputs += [f"--{kind}_out={into}" for kind in ("python", "grpc_python")]
    if protoc.main(["protoc", f"-I{ROOT}", f"-I{well_known}", *outputs, PROTO]):
        sys.exit(f"protoc refused {PROTO}")


def main() -> None:
    if sys.argv[1:] != ["--check"]:
        return generate(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = sorted(path.relative_to(scratch) for path in Path(scratch).rglob("*_pb2*"))
        stale = [str(path) for path in fresh if (Path(scratch) / path).read_bytes() != (ROOT / path).read_bytes()]
    if stale:
        sys.exit(f"{', '.join(stale)}: not what {PROTO} gives; run python -m helloworld.generate and commit")
    print(f"{len(fresh)} generated files are up to date")
    return None


if __name__ == "__main__":
    main()
