"""What can't be changed once it is there, and what can."""

from typing import Any

import pytest

from lab.conformance.api import JSON_PATCH, Api, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment, job, pod, service

IMMUTABLE = "field is immutable"


async def test_of_a_pods_containers_only_the_image_can_change(api: Api) -> None:
    waits = [{"name": "example.com/wait"}]
    await api.create("pods", pod("web", container(SLEEP), schedulingGates=waits))
    forbidden = "spec: Forbidden: pod updates may not change fields other than"
    operation = {"op": "replace", "path": "/spec/containers/0/command/0", "value": "python3"}
    with refused(422, "Invalid", forbidden):
        await api.patch("pods", "web", [operation], JSON_PATCH)
    with refused(422, "Invalid", forbidden):
        await api.patch("pods", "web", {"spec": {"restartPolicy": "Never"}})
    operation = {"op": "replace", "path": "/spec/containers/0/image", "value": "greeter:other"}
    changed = await api.patch("pods", "web", [operation], JSON_PATCH)
    assert changed["spec"]["containers"][0]["image"] == "greeter:other"
    await api.patch("pods", "web", {"metadata": {"labels": {"colour": "red"}}})


async def test_a_pod_gets_no_containers_later(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP)))
    operation = {"op": "add", "path": "/spec/containers/-", "value": container(SLEEP, "more")}
    with refused(422, "Invalid", "pod updates may not add or remove containers"):
        await api.patch("pods", "web", [operation], JSON_PATCH)


FIXED: list[tuple[str, Any, Any]] = [
    (
        "deployments",
        deployment("web", container(SLEEP), replicas=0),
        {"selector": {"matchLabels": {"app": "web", "b": "c"}}},
    ),
    ("jobs", job("web", SLEEP, suspend=True, completions=1), {"completions": 2}),
    ("jobs", job("web", SLEEP, suspend=False), {"template": {"spec": {"restartPolicy": "OnFailure"}}}),
]


@pytest.mark.parametrize(("plural", "obj", "change"), FIXED)
async def test_what_an_object_goes_by_is_immutable(api: Api, plural: str, obj: Any, change: Any) -> None:
    if "selector" in change:
        change["template"] = {"metadata": {"labels": change["selector"]["matchLabels"]}}
    await api.create(plural, obj)
    with refused(422, "Invalid", IMMUTABLE):
        await api.patch(plural, "web", {"spec": change})


async def test_a_services_address_is_immutable_and_its_ports_are_not(api: Api) -> None:
    made = await api.create("services", service("web"))
    with refused(422, "Invalid", 'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'):
        await api.patch("services", "web", {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}})
    changed = await api.patch("services", "web", {"spec": {"ports": [{"port": 9000}]}})
    assert changed["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert changed["spec"]["ports"] == [{"port": 9000, "targetPort": 9000, "protocol": "TCP"}]


@pytest.mark.parametrize(("plural", "kind"), [("configmaps", "ConfigMap"), ("secrets", "Secret")])
async def test_an_immutable_config_can_only_be_deleted(api: Api, plural: str, kind: str) -> None:
    obj = configmap("one", immutable=True, data={"a": "MQ=="}) | {"kind": kind}
    await api.create(plural, obj)
    with refused(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set"):
        await api.patch(plural, "one", {"data": {"a": "Mg=="}})
    with refused(422, "Invalid", "immutable: Forbidden: field is immutable when `immutable` is set"):
        await api.patch(plural, "one", {"immutable": False})
    await api.delete(plural, "one")


async def test_identity_cannot_be_changed(api: Api) -> None:
    made = await api.create("configmaps", configmap("one"))
    for field, value in {"uid": "other", "creationTimestamp": "2020-01-01T00:00:00Z"}.items():
        meta = made["metadata"] | {field: value, "resourceVersion": ""}
        if field == "uid":
            with refused(409, "Conflict", "Precondition failed: UID in precondition: other"):
                await api.replace("configmaps", made | {"metadata": meta})
        else:
            kept = await api.replace("configmaps", made | {"metadata": meta})
            assert kept["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
