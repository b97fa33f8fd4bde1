"""Objects that Kubernetes refuses, and its words for it: each message here is a real Kubernetes 1.34's."""

# ruff: noqa: E501 (a message stands in one line, as it is said)

import copy
from typing import Any

import pytest

from lab.apimachinery.errors import Invalid
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.store import Object
from lab.objects import defaults, validation
from lab.objects.decoding import Decoder
from lab.objects.strategies import finish_create

C = {"name": "a", "image": "b"}


def full(plural: str, body: Object) -> Object:
    """As the API server has it before it validates."""
    obj = Decoder(RESOURCES[plural]).decode({"metadata": {"name": "x", "uid": "u"}} | copy.deepcopy(body))
    defaults.set_defaults(plural, obj)
    finish_create(RESOURCES[plural], obj)
    return obj


def errors(plural: str, body: Object, old: Object | None = None) -> list[str]:
    try:
        validation.validate(RESOURCES[plural], full(plural, body), full(plural, old) if old else None)
    except Invalid as error:
        return [f"{cause['field']}: {cause['message']}" for cause in (error.details or {})["causes"]]
    return []


def pod(container: Object | None = None, **spec: Any) -> Object:
    return {"spec": {"containers": [C | (container or {})]} | spec}


def deployment(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [C]}}
    return {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template} | spec}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (deployment(replicas=-2), "spec.replicas: Invalid value: -2: must be greater than or equal to 0"),
        ({"spec": {"template": deployment()["spec"]["template"]}}, "spec.selector: Required value"),
        (
            deployment(selector={"matchLabels": {"app": "other"}}),
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
        (
            deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            deployment(
                template={"metadata": {"labels": {"app": "web"}}, "spec": {"restartPolicy": "Never", "containers": [C]}}
            ),
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        (
            deployment(minReadySeconds=700),
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
    ],
)
def test_deployments(body: Object, error: str) -> None:
    assert errors("deployments", body) == [error]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({}, "spec.ports: Required value"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}, 'spec.ports[1].name: Duplicate value: "a"'),
        (
            {"ports": [{"port": 1, "protocol": "x"}]},
            'spec.ports[0].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
        ),
        (
            {"type": "Foo", "ports": [{"port": 1}]},
            'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ),
        (
            {"clusterIP": "foo", "ports": [{"port": 1}]},
            'spec.clusterIPs[0]: Invalid value: "foo": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
    ],
)
def test_services(spec: Object, error: str) -> None:
    assert errors("services", {"spec": spec}) == [error]


def test_several_ports_need_names() -> None:
    found = errors("services", {"spec": {"ports": [{"port": 1}, {"port": 2}]}})
    assert found == ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]


def job(**spec: Any) -> Object:
    return {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [C]}}} | spec}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            job(template={"spec": {"containers": [C]}}),
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        (job(parallelism=-1), "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
        (
            job(completionMode="Foo"),
            'spec.completionMode: Unsupported value: "Foo": supported values: "NonIndexed", "Indexed"',
        ),
    ],
)
def test_jobs(body: Object, error: str) -> None:
    assert errors("jobs", body) == [error]


@pytest.mark.parametrize(
    ("plural", "name", "error"),
    [
        ("configmaps", "Web_2", "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters"),
        ("configmaps", "a" * 300, "must be no more than 253 characters"),
        ("services", "9a", "a DNS-1035 label must consist of lower case alphanumeric characters"),
        ("namespaces", "x.y", "must not contain dots"),
        ("roles", "a/b", "may not contain '/'"),
    ],
)
def test_names(plural: str, name: str, error: str) -> None:
    spec = {"spec": {"ports": [{"port": 1}]}} if plural == "services" else {}
    found = errors(plural, {"metadata": {"name": name, "uid": "u"}} | spec)
    assert len(found) == 1
    assert error in found[0]


def test_names_that_are_good() -> None:
    assert errors("roles", {"metadata": {"name": "system:node"}}) == []
    assert errors("configmaps", {"metadata": {"name": "kube-root-ca.crt"}}) == []


def test_labels_annotations_owners_and_finalizers() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": ""}
    meta = {"name": "x", "labels": {"/a": "b", "c": "we b"}, "annotations": {"a b": "c"}, "ownerReferences": [owner]}
    found = errors("configmaps", {"metadata": meta | {"finalizers": ["a b"]}})
    starts = [
        'metadata.labels: Invalid value: "/a": prefix part must be non-empty',
        'metadata.labels: Invalid value: "we b": a valid label must be an empty string or consist of',
        'metadata.annotations: Invalid value: "a b": name part must consist of',
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        'metadata.finalizers: Invalid value: "a b": name part must consist of',
    ]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("plural", "old", "new", "error"),
    [
        (
            "deployments",
            deployment(),
            deployment(
                selector={"matchLabels": {"app": "new"}},
                template={"metadata": {"labels": {"app": "new"}}, "spec": {"containers": [C]}},
            ),
            'spec.selector: Invalid value: {"matchLabels":{"app":"new"}}: field is immutable',
        ),
        ("pods", pod(), pod({"command": ["x"]}), "spec: Forbidden: pod updates may not change fields other than"),
        (
            "pods",
            pod(),
            {"spec": {"containers": [C, {"name": "d", "image": "d"}]}},
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        ("jobs", job(), job(completions=5), "spec.completions: Invalid value: 5: field is immutable"),
        ("secrets", {"type": "Opaque"}, {"type": "other"}, 'type: Invalid value: "other": field is immutable'),
        (
            "configmaps",
            {"immutable": True, "data": {"a": "b"}},
            {"immutable": True, "data": {}},
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
    ],
)
def test_what_cannot_change(plural: str, old: Object, new: Object, error: str) -> None:
    found = errors(plural, new, old)
    assert len(found) == 1
    assert found[0].startswith(error)
    assert errors(plural, old, old) == []


def test_what_of_a_pod_can_change() -> None:
    assert errors("pods", pod({"image": "new"}, activeDeadlineSeconds=5), pod()) == []
