"""A typed client of the kind that programs use: lightkube's own calls, from creating to following a log."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from lightkube import ApiError, AsyncClient
from lightkube.config.kubeconfig import SingleConfig
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from lab.conformance.api import Api
from lab.conformance.manifests import SLEEP, container, pod_spec, program


@pytest.fixture
async def client(config: SingleConfig, api: Api) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(config, namespace=api.namespace, field_manager="behaviour") as made:
        yield made


async def test_it_creates_reads_patches_lists_and_deletes(client: AsyncClient) -> None:
    await client.create(ConfigMap(metadata=ObjectMeta(name="one", labels={"a": "b"}), data={"a": "1"}))
    await client.patch(ConfigMap, "one", {"data": {"b": "2"}}, patch_type=PatchType.MERGE)
    found = await client.get(ConfigMap, "one")
    assert found.data == {"a": "1", "b": "2"}
    listed = [obj async for obj in client.list(ConfigMap, labels={"a": "b"}, chunk_size=1)]
    assert [obj.metadata.name for obj in listed if obj.metadata] == ["one"]
    await client.delete(ConfigMap, "one")
    with pytest.raises(ApiError) as caught:
        await client.get(ConfigMap, "one")
    assert caught.value.status.reason == "NotFound"


async def test_it_waits_and_watches_and_scales(client: AsyncClient) -> None:
    spec = msgspec.convert(pod_spec(container(SLEEP)), PodSpec)
    template = PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web"}), spec=spec)
    wanted = DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    await client.create(Deployment(metadata=ObjectMeta(name="web"), spec=wanted))
    await client.wait(Deployment, "web", for_conditions=["Available"])
    await client.patch(Deployment.Scale, "web", {"spec": {"replicas": 2}})
    async for _, found in client.watch(Deployment):
        if found.status and found.status.availableReplicas == 2:
            break
    assert len([p async for p in client.list(Pod)]) == 2


async def test_it_follows_a_log(client: AsyncClient, api: Api) -> None:
    await api.create("pods", program("web", "print('hello'); print('bye')"))
    await client.wait(Pod, "web", for_conditions=["Initialized"])
    await api.until_one("pods", "web", lambda p: p["status"]["phase"] == "Succeeded", "has ended")
    assert [line async for line in client.log("web", follow=True)] == ["hello\n", "bye\n"]
