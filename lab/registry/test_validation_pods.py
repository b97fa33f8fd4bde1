"""Pods that Kubernetes refuses, and its words for it: each message here is a real Kubernetes 1.34's."""

# ruff: noqa: E501 (a message stands in one line, as it is said)

import pytest

from lab.api.store import Object
from lab.registry.test_validation import C, errors, pod


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
