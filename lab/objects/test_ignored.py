"""What the lab takes and ignores is named, whatever it is; what it goes by is not."""

import copy
from typing import Any

import pytest

from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object
from lab.objects import ignored
from lab.objects.ignored import warnings

C = {"name": "a", "image": "b"}


def pod(container: Object | None = None, **spec: Any) -> Object:
    return {"spec": {"containers": [C | (container or {})]} | spec}


def deployment(**spec: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": [C]}}} | spec}


def service(**spec: Any) -> Object:
    return {"spec": {"ports": [{"port": 1}]} | spec}


HARDENED = {"securityContext": {"runAsNonRoot": True}, "resources": {"limits": {"cpu": 1}}}


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        ("pods", pod(C | {"resources": {}, "terminationMessagePath": "/dev/termination-log"}, securityContext={})),
        ("pods", pod(C | {"imagePullPolicy": "Never"}, initContainers=[C | {"restartPolicy": "Always"}])),
        ("pods", pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}])),
        (
            "services",
            service(ports=[{"port": 53, "protocol": "TCP"}], sessionAffinity="None", internalTrafficPolicy="Cluster"),
        ),
        ("jobs", deployment(completionMode="NonIndexed", suspend=False)),
        ("configmaps", {"data": {"a": "b"}}),
    ],
)
def test_what_it_goes_by_and_what_is_so_anyway_is_not_named(plural: str, body: Object) -> None:
    assert warnings(RESOURCES[plural], body) == []


@pytest.mark.parametrize(
    ("plural", "body", "path"),
    [
        ("pods", pod(affinity={"podAffinity": {}}), "spec.affinity"),
        ("pods", pod(C | {"ports": [{"containerPort": 1, "hostPort": 1}]}), "spec.containers[0].ports[0].hostPort"),
        ("pods", pod(C | {"imagePullPolicy": "Always"}), "spec.containers[0].imagePullPolicy: Always"),
        ("pods", pod(C | {"restartPolicy": "Never"}), "spec.containers[0].restartPolicy: Never"),
        (
            "pods",
            pod(initContainers=[C | {"restartPolicy": "OnFailure"}]),
            "spec.initContainers[0].restartPolicy: OnFailure",
        ),
        (
            "pods",
            pod(C | {"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}}),
            "spec.containers[0].lifecycle.postStart",
        ),
        (
            "deployments",
            deployment(template={"spec": {"hostNetwork": True, "containers": [C]}}),
            "spec.template.spec.hostNetwork",
        ),
        ("pods", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath"),
        ("pods", pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]), "spec.volumes[0].emptyDir.medium"),
        ("services", service(type="NodePort"), "spec.type: NodePort"),
        ("services", service(ports=[{"port": 53, "protocol": "UDP"}]), "spec.ports[0].protocol"),
        ("deployments", deployment(paused=True), "spec.paused"),
        ("jobs", deployment(completionMode="Indexed", completions=1), "spec.completionMode"),
        ("jobs", deployment(suspend=True), "spec.suspend"),
        ("nodes", {"spec": {"taints": [{"key": "spot", "effect": "NoSchedule"}]}}, "spec.taints"),
        ("serviceaccounts", {"imagePullSecrets": [{"name": "s"}]}, "imagePullSecrets"),
    ],
)
def test_whatever_else_is_asked_for_is_named(plural: str, body: Object, path: str) -> None:
    (warning,) = warnings(RESOURCES[plural], body)
    assert warning.startswith(f"the lab stores and ignores {path}: ")


def test_what_is_ignored_for_one_reason_is_one_line() -> None:
    (warning,) = warnings(RESOURCES["pods"], pod(C | HARDENED, securityContext={"runAsUser": 1}))
    assert warning.startswith("the lab stores and ignores spec.securityContext, spec.containers[0].securityContext, ")


def test_volumes_that_it_lacks_are_named_with_those_that_it_has() -> None:
    (warning,) = warnings(RESOURCES["pods"], pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
    assert warning.endswith(": the lab's volumes are configMap, emptyDir, secret")


def test_a_change_names_only_what_it_adds() -> None:
    old = pod(C | HARDENED)
    assert warnings(RESOURCES["pods"], pod(C | HARDENED | {"args": ["x"]}), old) == []
    (warning,) = warnings(RESOURCES["pods"], pod(C | HARDENED | {"stdin": True}), old)
    assert warning == "the lab stores and ignores spec.containers[0].stdin: nobody can attach to a container of the lab"


@pytest.mark.parametrize("plural", ["poddisruptionbudgets", "networkpolicies", "roles"])
def test_a_kind_that_nothing_goes_by_is_named_when_it_comes(plural: str) -> None:
    obj: Object = {"metadata": {"name": "x"}}
    (warning,) = warnings(RESOURCES[plural], obj)
    assert warning.startswith(f"the lab stores this {RESOURCES[plural].kind} and does not act upon it: ")
    assert warnings(RESOURCES[plural], obj, old=obj) == []


def test_the_fields_that_it_goes_by_exist() -> None:
    """A misspelt one would be ignored in silence."""
    found: dict[str, set[str]] = {}

    def collect(schema: Schema) -> None:
        if schema.get("title") not in found and "properties" in schema:
            found[schema["title"]] = set(schema["properties"])
        for child in (*schema.pop("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
            collect(child)

    for plural in ("deployments", "services", "jobs", "nodes", "serviceaccounts"):
        collect(copy.deepcopy(schema_of(RESOURCES[plural])))
    assert {kind: names - found[kind] for kind, names in ignored.KNOWN.items() if names - found[kind]} == {}
