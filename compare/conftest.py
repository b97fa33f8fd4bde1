"""A lab to measure on, and compare as a process on it."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

import catalogue
from catalogue import ROOT
from compare.__main__ import main
from compare.api import Api
from compare.connection import connect
from compare.namespace import SERVER
from testing.processes import Process, process, running_lab

Compare = Callable[..., AbstractContextManager[Process]]
Refusal = Callable[..., str]


@pytest.fixture(scope="session")
def lab() -> Iterator[str]:
    """The KUBECONFIG of a lab whose DNS caches for a second."""
    with running_lab("--dns-ttl=1") as lab:
        yield lab


@pytest.fixture
async def api(lab: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("KUBECONFIG", lab)
    async with connect() as api:
        yield api


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A directory of strategies that holds a copy of clusterip, `mine`, for the test to change."""
    shutil.copytree(ROOT / "clusterip", tmp_path / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def balancer(own: Path) -> Path:
    """The manifest of a second Deployment of `mine`: two greeters that nobody calls, as its component `balancer`."""
    server = (own / "mine" / "manifests" / "server.yaml").read_text()
    [deployment] = [obj for obj in yaml.safe_load_all(server) if obj["kind"] == "Deployment"]
    text = yaml.safe_dump(deployment).replace("replicas: 3", "replicas: 2")
    manifest = own / "mine" / "manifests" / "balancer.yaml"
    manifest.write_text(text.replace("component: server", "component: balancer").replace(SERVER, "greeter-balancer"))
    return manifest


@pytest.fixture
def compare(lab: str) -> Compare:
    """`python -m compare ARGS` on the lab, with the strategies of a directory."""

    def compare(*args: str, root: Path = ROOT, kubeconfig: str = lab) -> AbstractContextManager[Process]:
        env = {"KUBECONFIG": kubeconfig, "COLUMNS": "80", "PYTHONPATH": os.fspath(ROOT)}
        return process("compare.testing", os.fspath(root), *args, env=env)

    return compare


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """The line that `python -m compare ARGS` says where it measures nothing. In this process: it ends at once."""

    def refusal(*args: str, root: Path = ROOT, kubeconfig: str = "") -> str:
        monkeypatch.setattr(catalogue, "ROOT", root)
        monkeypatch.setenv("KUBECONFIG", kubeconfig)
        monkeypatch.setattr(sys, "argv", ["compare", *args])
        with pytest.raises(SystemExit) as ended:
            sys.exit(main())
        assert ended.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    return refusal


def state(pid: str) -> str:
    """Of a process, as in /proc; "" of none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
