"""compare on a cluster: every strategy keeps its promises, drills included; and what needs a cluster to be refused."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalogue import ROOT, demos
from helloworld import durations
from testing.cluster import OwnNamespace, kubectl


def compare(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compare", *args]
    return subprocess.run(command, env=os.environ | {"COLUMNS": "120"} | env, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_strategy_shows_what_it_is_expected_to_measured_side_by_side(
    namespace: OwnNamespace, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    done = compare("--drills", f"--json={figures}")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(figures.read_text())["rows"]
    assert [row["strategy"] for row in rows] == [demo.name for demo in demos()]
    for row in rows:
        if row["lacks"]:
            continue
        print(row["strategy"], "p50 and p99 over direct:", row["overhead"])
        assert {"scale_in", "rolling_restart"} <= row["drills"].keys() == row["expectations"]["drills"].keys()
        assert all(drill["client"]["attempts"] >= 2000 for drill in row["drills"].values())
        failed = {name: (d["client"]["failed_attempts"], d["client"]["attempts"]) for name, d in row["drills"].items()}
        print(row["strategy"], "failed attempts:", failed)
        for name, expected in row["expectations"]["drills"].items():
            if (
                expected["do"] == "away"
            ):  # servers came meanwhile: none is called before what is away is asked for again
                drill = row["drills"][name]
                asked = drill["gone"] + durations.seconds(expected["away"])
                assert drill["ready"]
                assert all(drill["client"]["backends"][pod]["first_seen"] > asked for pod in drill["ready"])
                print(row["strategy"], name, "first call after", drill["first_call_after_s"], "s")


def test_without_the_right_to_create_namespaces_it_says_so(namespace: OwnNamespace, tmp_path: Path) -> None:
    namespace.kubectl("create", "serviceaccount", "nobody")
    nobody = f"--as=system:serviceaccount:{namespace.name}:nobody"
    if "yes" in kubectl("auth", "can-i", "create", "namespaces", nobody, ok=(0, 1)).stdout:
        pytest.skip("this cluster lets everybody create namespaces (the lab does)")
    config: dict[str, Any] = yaml.safe_load(kubectl("config", "view", "--raw", "--minify", "--flatten").stdout)
    config["users"][0]["user"] = {"token": namespace.kubectl("create", "token", "nobody").strip()}
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    done = compare("clusterip", KUBECONFIG=str(file))
    assert done.returncode == 2
    assert done.stderr.strip().startswith("compare: no namespace could be created: namespaces is forbidden")
    assert "Traceback" not in done.stderr


def test_the_address_of_an_ingress_is_handed_to_the_client(namespace: OwnNamespace, tmp_path: Path) -> None:
    """To one that has no use for it, and says so."""
    if not kubectl("get", "ingressclasses", "-o", "name", ok=(0, 1)).stdout:
        pytest.skip("this cluster has no ingress controller")
    shutil.copytree(ROOT / "clusterip", tmp_path / "edge")
    backend = {"service": {"name": "greeter-server", "port": {"name": "grpc"}}}
    rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"ingressClassName": "nginx", "rules": [rule]}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "greeter"}, "spec": spec}
    (tmp_path / "edge" / "manifests" / "ingress.yaml").write_text(yaml.safe_dump(ingress))
    command = [sys.executable, "-m", "compare.testing", str(tmp_path)]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "400"}, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"unrecognized arguments: --connect=\d+\.\d+\.\d+\.\d+", done.stdout), done.stdout
