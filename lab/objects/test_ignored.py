"""What the lab takes and ignores is named, whatever it is; what it goes by is not."""

import copy
from contextlib import closing
from typing import Any

import pytest

from lab.apimachinery.errors import Invalid
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object, Store
from lab.network import Network
from lab.objects import ignored
from lab.objects.options import WriteOptions
from lab.objects.registry import Registry

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
    assert ignored.ignored(RESOURCES[plural], body) == {}


@pytest.mark.parametrize(
    ("plural", "body", "name"),
    [
        ("pods", pod(affinity={"podAffinity": {}}), "affinity"),
        ("pods", pod(C | {"ports": [{"containerPort": 1, "hostPort": 1}]}), "hostPort"),
        ("pods", pod(C | {"imagePullPolicy": "Always"}), "imagePullPolicy: Always"),
        ("pods", pod(C | {"restartPolicy": "Never"}), "restartPolicy: Never"),
        (
            "pods",
            pod(initContainers=[C | {"restartPolicy": "OnFailure"}]),
            "restartPolicy: OnFailure",
        ),
        (
            "pods",
            pod(C | {"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}}),
            "postStart",
        ),
        (
            "deployments",
            deployment(template={"spec": {"hostNetwork": True, "containers": [C]}}),
            "hostNetwork",
        ),
        ("pods", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "hostPath"),
        ("pods", pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]), "medium"),
        ("services", service(type="NodePort"), "type: NodePort"),
        ("services", service(ports=[{"port": 53, "protocol": "UDP"}]), "protocol"),
        ("deployments", deployment(paused=True), "paused"),
        ("jobs", deployment(completionMode="Indexed", completions=1), "completionMode"),
        ("jobs", deployment(suspend=True), "suspend"),
        ("nodes", {"spec": {"taints": [{"key": "spot", "effect": "NoSchedule"}]}}, "taints"),
        ("serviceaccounts", {"imagePullSecrets": [{"name": "s"}]}, "imagePullSecrets"),
    ],
)
def test_whatever_else_is_asked_for_is_named(plural: str, body: Object, name: str) -> None:
    assert list(ignored.ignored(RESOURCES[plural], body)) == [name]


def said(plural: str, obj: Object, old: Object | None = None) -> list[str]:
    return ignored.warnings(ignored.ignored(RESOURCES[plural], obj, old))


def test_what_is_ignored_for_one_reason_is_one_short_line() -> None:
    (warning,) = said("pods", pod(C | HARDENED, securityContext={"runAsUser": 1}))
    assert warning.startswith("the lab ignores securityContext, resources: a pod is processes of this machine")
    assert all(len(f"the lab ignores {field}: {reason}") < 130 for field, reason in ignored.REASON.items())


def test_volumes_that_it_lacks_are_named_with_those_that_it_has() -> None:
    (warning,) = said("pods", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
    assert warning == "the lab ignores hostPath: its volumes are configMap, emptyDir, secret"


def test_a_change_names_only_what_it_adds() -> None:
    old = pod(C | HARDENED)
    assert said("pods", pod(C | HARDENED | {"args": ["x"]}), old) == []
    changed = pod(C | HARDENED, dnsPolicy="None")
    assert said("pods", changed, old) == ["the lab ignores dnsPolicy: names are asked of its DNS only"]


@pytest.mark.parametrize("plural", ["poddisruptionbudgets", "networkpolicies", "roles"])
def test_a_kind_that_nothing_goes_by_is_named_when_it_comes(plural: str) -> None:
    obj: Object = {"metadata": {"name": "x"}}
    (warning,) = said(plural, obj)
    assert warning.startswith(f"the lab ignores {RESOURCES[plural].kind}: ")
    assert said(plural, obj, old=obj) == []


def test_each_is_named_once_in_a_lab_when_it_is_stored(store: Store) -> None:
    with closing(Network.take()) as network:
        registry = Registry(store, network)

        def create(name: str, *, dry_run: bool = False, **fields: Any) -> list[str]:
            value = {"metadata": {"name": name}, "spec": {"ports": [{"port": 443}]} | fields}
            options = WriteOptions(dry_run=dry_run, validation="Strict")
            return registry.create(RESOURCES["services"], "shop", value, options)[1]

        with pytest.raises(Invalid):
            create("refused", type="LoadBalancer", clusterIP="nowhere")
        assert len(create("first", dry_run=True, type="LoadBalancer")) == 1
        (warning,) = create("first", type="LoadBalancer")
        assert "use the clusterIP, with ports under 1024 moved up by 10000" in warning
        assert create("second", type="LoadBalancer") == []
        (warning,) = create("third", type="LoadBalancer", sessionAffinity="ClientIP")
        assert warning == "the lab ignores sessionAffinity: every connection comes from 127.0.0.1"


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
