"""A whole lab, in this process: what holds only where all its components are there."""

from pathlib import Path

import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

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
