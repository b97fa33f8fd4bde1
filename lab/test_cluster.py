"""A whole lab, in this process: what holds only where all its components are there."""

import fcntl
import os
from pathlib import Path
from typing import IO

import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from lab import cluster as module
from lab.cluster import cluster

ASK = "from lightkube import Client; from lightkube.resources.core_v1 import ConfigMap; c = Client()"
ASK += "; print(c.namespace, *(m.metadata.name for m in c.list(ConfigMap)))"
EDITS = {
    "emptied": "",
    "broken": "contexts: [",
    "of another cluster": "{contexts: [{name: x, context: {cluster: x, user: x, namespace: y}}], current-context: x}",
}


@pytest.mark.parametrize("edit", EDITS)
async def test_pods_reach_the_api_whatever_the_user_does_to_the_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with (
        cluster(dns_ttl=5) as kubeconfig,
        AsyncClient(KubeConfig.from_file(kubeconfig), namespace="kube-public") as client,
    ):
        kubeconfig.write_text(EDITS[edit])
        container = Container(name="app", image="greeter:dev", command=["python", "-c", ASK])
        spec = PodSpec(containers=[container], restartPolicy="Never")
        await client.create(Pod(metadata=ObjectMeta(name="p"), spec=spec))
        async for _, pod in client.watch(Pod, server_timeout=20):
            if pod.status and pod.status.phase in ("Succeeded", "Failed"):
                break
        said = [line async for line in client.log("p")]
        assert said == ["kube-public kube-root-ca.crt\n"]


async def test_a_lab_that_starts_is_not_taken_for_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one, which removes what those left behind, starts just before this one has its lock."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    lock, cleaned = fcntl.flock, list[int]()

    def another_starts(file: IO[str], operation: int) -> None:
        if operation == fcntl.LOCK_EX and not cleaned:
            cleaned.append(1)
            module._remove_dead(tmp_path)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", another_starts)
    async with cluster(dns_ttl=5) as kubeconfig:
        assert cleaned
        assert kubeconfig.exists()
        module._remove_dead(tmp_path)
        assert kubeconfig.exists()
    assert os.listdir(tmp_path) == []
