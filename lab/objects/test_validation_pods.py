"""Pods that Kubernetes refuses, and its words for it: each message here is a real Kubernetes 1.34's."""

# ruff: noqa: E501 (a message stands in one line, as it is said)

from collections.abc import Callable
from typing import Any

import pytest

from lab.apimachinery.store import Object
from lab.objects.test_validation import C, deployment, errors, pod


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"spec": {}}, "spec.containers: Required value"),
        ({"spec": {"containers": []}}, "spec.containers: Required value"),
        (pod({"image": ""}), "spec.containers[0].image: Required value"),
        (
            pod({"image": " b"}),
            'spec.containers[0].image: Invalid value: " b": must not have leading or trailing whitespace',
        ),
        ({"spec": {"containers": [C, C]}}, 'spec.containers[1].name: Duplicate value: "a"'),
        (pod(initContainers=[C]), 'spec.initContainers[0].name: Duplicate value: "a"'),
        (pod({"name": "a.b"}), 'spec.containers[0].name: Invalid value: "a.b": must not contain dots'),
        (
            pod({"imagePullPolicy": "Foo"}),
            'spec.containers[0].imagePullPolicy: Unsupported value: "Foo": supported values: '
            '"Always", "IfNotPresent", "Never"',
        ),
        (
            pod({"ports": [{"containerPort": 80000}]}),
            "spec.containers[0].ports[0].containerPort: Invalid value: 80000: must be between 1 and 65535, inclusive",
        ),
        (pod({"ports": [{"name": "n"}]}), "spec.containers[0].ports[0].containerPort: Required value"),
        (
            pod({"ports": [{"name": "n", "containerPort": 1}, {"name": "n", "containerPort": 2}]}),
            'spec.containers[0].ports[1].name: Duplicate value: "n"',
        ),
        (
            pod({"ports": [{"containerPort": 1, "protocol": "FOO"}]}),
            'spec.containers[0].ports[0].protocol: Unsupported value: "FOO": supported values: "SCTP", "TCP", "UDP"',
        ),
        (pod({"env": [{"name": ""}]}), "spec.containers[0].env[0].name: Required value"),
        (
            pod({"env": [{"name": "a=b"}]}),
            'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='",
        ),
        (
            pod({"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
        ),
        (
            pod({"env": [{"name": "A", "valueFrom": {}}]}),
            'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
            "`resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        (
            pod({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]}),
            "spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Required value",
        ),
        (
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.foo"}}}]}),
            'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting '
            "fieldPath: field label not supported: spec.foo",
        ),
        (pod({"livenessProbe": {}}), "spec.containers[0].livenessProbe: Required value: must specify a handler type"),
        (
            pod({"readinessProbe": {"tcpSocket": {"port": 1}, "exec": {"command": ["a"]}}}),
            "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        (
            pod({"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}}),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            pod({"livenessProbe": {"exec": {"command": ["a"]}, "periodSeconds": -2}}),
            "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -2: must be greater than or equal to 0",
        ),
        (pod({"livenessProbe": {"exec": {}}}), "spec.containers[0].livenessProbe.exec.command: Required value"),
        (
            pod({"livenessProbe": {"grpc": {"port": 0}}}),
            "spec.containers[0].livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            pod({"livenessProbe": {"httpGet": {"port": "abcdefghijklmnopqrst"}}}),
            'spec.containers[0].livenessProbe.httpGet.port: Invalid value: "abcdefghijklmnopqrst": must be no more than '
            "15 characters",
        ),
        (
            pod({"lifecycle": {"preStop": {"sleep": {"seconds": 100}}}}),
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 100: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)",
        ),
        (
            pod(initContainers=[{"name": "i", "image": "i", "readinessProbe": {"exec": {"command": ["a"]}}}]),
            "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always",
        ),
        (
            pod({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            pod({"volumeMounts": [{"name": "v", "mountPath": "/v"}] * 2}, volumes=[{"name": "v"}]),
            'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
        ),
        (pod(volumes=[{"name": "v"}, {"name": "v"}]), 'spec.volumes[1].name: Duplicate value: "v"'),
        (pod(volumes=[{"name": "v", "configMap": {}}]), "spec.volumes[0].configMap.name: Required value"),
        (
            pod(restartPolicy="Foo"),
            'spec.restartPolicy: Unsupported value: "Foo": supported values: "Always", "OnFailure", "Never"',
        ),
        (
            pod({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1000m"}}}),
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1000m',
        ),
    ],
)
def test_pods(body: Object, error: str) -> None:
    assert errors("pods", body) == [error]


UP = "must not contain '..'"
RELATIVE = "must be a relative path"
RESERVED = "must not start with '..'"


@pytest.mark.parametrize("field", ["subPath", "subPathExpr"])
@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("../x", [UP]),
        ("a/../../x", [UP]),
        ("..", [UP]),
        ("/etc", [RELATIVE]),
        ("/../etc", [RELATIVE, UP]),
        ("..x/a..", []),
        ("./a//b", []),
    ],
)
def test_a_sub_path_that_leaves_its_volume_is_refused(field: str, path: str, wrong: list[str]) -> None:
    body = pod({"volumeMounts": [{"name": "v", "mountPath": "/v", field: path}]}, volumes=[{"name": "v"}])
    assert errors("pods", body) == [
        f'spec.containers[0].volumeMounts.{field}: Invalid value: "{path}": {say}' for say in wrong
    ]


def test_a_sub_path_is_said_once() -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "a", "subPathExpr": "b"}
    assert errors("pods", pod({"volumeMounts": [mount]}, volumes=[{"name": "v"}])) == [
        'spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive'
    ]


def of_configmap(**item: Any) -> Object:
    return {"configMap": {"name": "c", "items": [{"key": "k"} | item]}}


def of_secret(**item: Any) -> Object:
    return {"secret": {"secretName": "s", "items": [{"key": "k"} | item]}}


def of_the_pod(**item: Any) -> Object:
    return {"downwardAPI": {"items": [{"fieldRef": {"fieldPath": "metadata.name"}} | item]}}


def projected(source: Object) -> Object:
    if "secret" in source:
        source["secret"]["name"] = source["secret"].pop("secretName")
    return {"projected": {"sources": [{"configMap": {"name": "other"}}, source]}}


VOLUMES = [
    (of_configmap, "configMap.items[0]"),
    (of_secret, "secret.items[0]"),
    (of_the_pod, "downwardAPI"),
    (lambda **item: projected(of_configmap(**item)), "projected.sources[1].configMap.items[0]"),
    (lambda **item: projected(of_secret(**item)), "projected.sources[1].secret.items[0]"),
    (lambda **item: projected(of_the_pod(**item)), "projected.sources[1].downwardAPI"),
]


@pytest.mark.parametrize(("volume", "at"), VOLUMES, ids=[at for _, at in VOLUMES])
@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("../x", [UP]),
        ("a/../../x", [UP]),
        ("..", [UP, RESERVED]),
        ("..data/x", [RESERVED]),
        ("/etc/passwd", [RELATIVE]),
        ("a/..b", []),
    ],
)
def test_a_file_that_leaves_its_volume_is_refused(
    volume: Callable[..., Object], at: str, path: str, wrong: list[str]
) -> None:
    body = pod(volumes=[{"name": "v"} | volume(path=path)])
    assert errors("pods", body) == [f'spec.volumes[0].{at}.path: Invalid value: "{path}": {say}' for say in wrong]


@pytest.mark.parametrize(("volume", "at"), VOLUMES, ids=[at for _, at in VOLUMES])
def test_a_file_has_a_name_and_a_mode_of_permissions_alone(volume: Callable[..., Object], at: str) -> None:
    assert errors("pods", pod(volumes=[{"name": "v"} | volume(path="", mode=0o4755)])) == [
        f"spec.volumes[0].{at}.path: Required value",
        f"spec.volumes[0].{at}.mode: Invalid value: 2541: must be a number between 0 and 0777 (octal), both inclusive",
    ]


def test_a_template_is_held_to_the_same() -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "v"} | of_configmap(path="../x")]
    assert errors("deployments", body) == [
        f'spec.template.spec.volumes[0].configMap.items[0].path: Invalid value: "../x": {UP}'
    ]


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
@pytest.mark.parametrize(
    ("key", "wrong"),
    [("..", "must not be '..'"), (".", "must not be '.'"), ("..data", RESERVED), ("../x", "a valid config key must")],
)
def test_a_key_that_is_no_name_of_a_file_is_refused(plural: str, key: str, wrong: str) -> None:
    (error,) = errors(plural, {"data": {key: ""}})
    assert error.startswith(f'data[{key}]: Invalid value: "{key}": {wrong}')
