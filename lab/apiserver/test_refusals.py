"""What is refused, and what is only tried (dryRun), leaves everything as it was."""

from copy import deepcopy
from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.objects.patches import MERGE_PATCH as MERGE
from lab.objects.patches import STRATEGIC
from lab.testing import settled
from lab.testing.hollow import Call, HollowLab

NAMESPACES = "/api/v1/namespaces"
MAPS = f"{NAMESPACES}/default/configmaps"
SERVICES = f"{NAMESPACES}/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DRY = "?dryRun=All"
ALIAS = {"metadata": {"name": "alias"}, "spec": {"type": "ExternalName", "externalName": "example.com"}}
TO_CLUSTER_IP: Object = {"spec": {"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}]}}
WEB: Object = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "greeter:dev"}]},
        },
    },
}
POLICIES = ("Background", "Foreground", "Orphan")


def everything(store: Store) -> Any:
    return store.version, deepcopy(store._objects)


@pytest.fixture(autouse=True)
async def furnished(call: Call, lab: HollowLab) -> None:
    for path, obj in ((SERVICES, ALIAS), (DEPLOYMENTS, WEB), (MAPS, {"metadata": {"name": "m"}})):
        assert (await call("POST", path, obj)).code == 201
    await settled(lab.store)


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        *(("DELETE", f"{MAPS}/m", {"propagationPolicy": p, "preconditions": {"uid": "x"}}, "") for p in POLICIES),
        *(("DELETE", f"{NAMESPACES}/default{query}", {"propagationPolicy": "Foreground"}, "") for query in ("", DRY)),
        ("DELETE", f"{MAPS}/m", {"propagationPolicy": "Foreground", "gracePeriodSeconds": "x"}, ""),
        ("DELETE", f"{MAPS}?labelSelector=(", {"propagationPolicy": "Foreground"}, ""),
        ("POST", MAPS, {"metadata": {"name": "m"}, "data": {"a": "b"}}, ""),
        ("PUT", f"{MAPS}/m", {"metadata": {"name": "m", "resourceVersion": "1"}, "data": {"a": "b"}}, ""),
        ("PATCH", f"{MAPS}/m", {"metadata": {"uid": "x"}, "data": {"a": "b"}}, MERGE),
        ("PATCH", f"{NAMESPACES}/default", {"metadata": {"labels": {"a": "-"}}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": -1}}, STRATEGIC),
        ("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, MERGE),
        ("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"replicas": "x"}}, MERGE),
        ("POST", f"{NAMESPACES}/default/pods/nope/eviction", {"deleteOptions": {"propagationPolicy": "Orphan"}}, ""),
    ],
)
async def test_what_is_refused_changes_nothing(
    call: Call, lab: HollowLab, method: str, path: str, body: Any, kind: str
) -> None:
    before = everything(lab.store)
    assert 400 <= (await call(method, path, body, kind or "application/json")).code < 500
    assert everything(lab.store) == before


async def test_a_change_that_is_refused_or_tried_takes_no_address(call: Call, lab: HollowLab) -> None:
    stale = TO_CLUSTER_IP | {"metadata": {"resourceVersion": "1"}}
    before = everything(lab.store)
    for _ in range(130):  # there are fewer than 254 addresses
        assert (await call("PATCH", f"{SERVICES}/alias{DRY}", TO_CLUSTER_IP, MERGE)).code == 200
        assert (await call("PATCH", f"{SERVICES}/alias", stale, MERGE)).code == 409
    assert everything(lab.store) == before
    assert (await call("PATCH", f"{SERVICES}/alias", TO_CLUSTER_IP, MERGE)).body["spec"]["clusterIP"]


async def test_no_address_left_is_said_to_the_client_alone(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    answers = [
        await call("POST", SERVICES, {"metadata": {"name": f"s{i}"}, "spec": {"ports": [{"port": 80}]}})
        for i in range(254)
    ]
    assert answers[-1].code == 500
    assert "failed to allocate a serviceIP: all 253 addresses of the lab's network" in answers[-1].body["message"]
    assert caplog.records == []
