"""Stubs are what their proto files give; one that is not is found."""

import re
from pathlib import Path

import pytest

from catalogue import ROOT
from tests import protos

REMEDY = "not what the proto files give; run python -m tests.protos and commit"
PROTO = """
syntax = "proto3";
package shop;
message Order { string name = 1; }
service Shop { rpc Buy(Order) returns (Order); }
"""
STUBS = ["shop/order_pb2.py", "shop/order_pb2.pyi", "shop/order_pb2_grpc.py", "shop/order_pb2_grpc.pyi"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One with a proto file and its stubs."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "order.proto").write_text(PROTO)
    protos.generate(tmp_path, tmp_path)
    return tmp_path


def fails(root: Path, names: list[str]) -> None:
    with pytest.raises(SystemExit, match=f"^{re.escape(', '.join(names))}: {REMEDY}$"):
        protos.check(root)


def test_every_stub_is_what_its_proto_file_gives() -> None:
    protos.check(ROOT)


def test_a_stale_stub_fails(repository: Path) -> None:
    protos.check(repository)
    (repository / "shop" / "order.proto").write_text(PROTO.replace("name", "number"))
    fails(repository, STUBS[:2])  # those of the service have no fields in them


def test_a_proto_file_without_stubs_fails(repository: Path) -> None:
    for name in STUBS:
        (repository / name).unlink()
    fails(repository, STUBS)


def test_stubs_without_a_proto_file_fail(repository: Path) -> None:
    (repository / "shop" / "price_pb2.py").touch()
    fails(repository, ["shop/price_pb2.py"])
