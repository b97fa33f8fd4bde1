"""What the behaviour tests can't make a cluster do: all its addresses used up, options that are none, stale scales."""

from typing import Any

import pytest

from lab.apimachinery.store import Object
from lab.objects.patches import MERGE_PATCH as MERGE
from lab.testing import until
from lab.testing.hollow import Call, HollowLab

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"


def deployment(name: str = "web") -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "greeter:dev"}]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


def service(name: str = "web", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]} | spec}


@pytest.mark.parametrize(
    "options",
    [
        [],
        {"propagationPolicy": "Foo"},
        {"propagationPolicy": ["x"]},
        {"gracePeriodSeconds": "x"},
        {"preconditions": []},
        {"dryRun": 5},
    ],
)
async def test_options_of_a_deletion_that_are_none(call: Call, options: Any) -> None:
    await call("POST", MAPS, {"metadata": {"name": "x"}})
    assert (await call("DELETE", f"{MAPS}/x", options)).code in (400, 422)
    assert (await call("DELETE", f"{MAPS}/x")).code == 200


async def test_a_status_that_a_client_writes_has_its_required_fields(call: Call) -> None:
    await call("POST", DEPLOYMENTS, deployment())
    incomplete = {"status": {"conditions": [{"type": "Available"}]}}
    assert (await call("PATCH", f"{DEPLOYMENTS}/web/status", incomplete, MERGE)).code == 422


async def test_a_scale_of_another_version_is_refused(call: Call) -> None:
    await call("POST", DEPLOYMENTS, deployment())
    stale = {"metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 4}}
    assert (await call("PUT", f"{DEPLOYMENTS}/web/scale", stale)).code == 409
    assert (await call("PUT", f"{DEPLOYMENTS}/web/scale", {"metadata": {"name": "other"}})).code == 400


async def test_every_address_is_given_out_and_comes_back(call: Call) -> None:
    for number in range(300):  # there are fewer
        assert (await call("POST", SERVICES, service(f"s{number}"))).code == 201
        await call("DELETE", f"{SERVICES}/s{number}")


async def test_the_service_kubernetes_comes_back_with_its_address(call: Call, lab: HollowLab) -> None:
    before = lab.store.get("services", "default", "kubernetes")
    for path in (f"{SERVICES}/kubernetes", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"):
        assert (await call("DELETE", path)).code == 200
    await until(lambda: lab.store.find("endpointslices", "default", "kubernetes"), "the slice is back")
    assert lab.store.get("services", "default", "kubernetes")["spec"] == before["spec"]
    addresses = {(await call("POST", SERVICES, service(f"s{i}"))).body["spec"]["clusterIP"] for i in range(200)}
    assert before["spec"]["clusterIP"] not in addresses
