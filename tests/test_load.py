"""`k8s/load` says what it lacks, before it builds anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

from catalogue import ROOT

USAGE = "usage: k8s/load kind [NAME] | minikube [PROFILE] | k3d [NAME] | registry HOST[/PATH]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], USAGE),
        (["docker-desktop"], USAGE),
        (["registry"], "registry needs its host: k8s/load registry registry.example.com/team"),
        (["kind"], "kind is not on PATH; install it first"),
        (["registry", "registry.example.com"], "docker is not on PATH; install it first"),
    ],
)
def test_what_is_missing_is_said_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    for program in ("bash", "env"):  # a machine with nothing else
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    done = subprocess.run(
        [ROOT / "k8s" / "load", *arguments], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"k8s/load: {message}\n")
