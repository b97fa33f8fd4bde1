"""What the API refuses: with which code and reason, and in which words."""

from typing import Any

import pytest

from lab.conformance.api import Api, Object, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment, job, pod, service

RFC_1123 = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"


def changed(obj: Object, path: str, value: Any) -> Object:
    """The object with the value at the path, such as spec.containers.0.name."""
    *parents, last = path.split(".")
    place: Any = obj
    for key in parents:
        place = place[int(key)] if key.isdecimal() else place.setdefault(key, {})
    place[last] = value
    return obj


POD_ERRORS = [
    ("metadata.name", "Web", f'metadata.name: Invalid value: "Web": {RFC_1123}'),
    ("metadata.labels", {"a b": "c"}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
    ("spec.containers", [], "spec.containers: Required value"),
    ("spec.containers.0.name", "", "spec.containers[0].name: Required value"),
    ("spec.containers.0.name", "A", 'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must'),
    ("spec.containers.0.image", "", "spec.containers[0].image: Required value"),
    (
        "spec.restartPolicy",
        "Sometimes",
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ),
    (
        "spec.containers.0.ports",
        [{"containerPort": 70000}],
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    (
        "spec.containers.0.env",
        [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ),
    (
        "spec.containers.0.env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.colour"}}}],
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "status.colour"',
    ),
    (
        "spec.containers.0.volumeMounts",
        [{"name": "none", "mountPath": "/data"}],
        'spec.containers[0].volumeMounts[0].name: Not found: "none"',
    ),
    (
        "spec.containers.0.volumeMounts",
        [{"name": "none", "mountPath": "/data", "subPath": "a/../../x"}],
        "spec.containers[0].volumeMounts.subPath: Invalid value: \"a/../../x\": must not contain '..'",
    ),
    (
        "spec.containers.0.volumeMounts",
        [{"name": "none", "mountPath": "/data", "subPathExpr": "/x"}],
        'spec.containers[0].volumeMounts.subPathExpr: Invalid value: "/x": must be a relative path',
    ),
    (
        "spec.containers.0.readinessProbe",
        {"periodSeconds": 1},
        "spec.containers[0].readinessProbe: Required value: must specify a handler type",
    ),
    (
        "spec.containers.0.livenessProbe",
        {"grpc": {"port": 8000}, "successThreshold": 2},
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ),
    (
        "spec.volumes",
        [{"name": "v", "configMap": {"name": "c"}, "emptyDir": {}}],
        "spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type",
    ),
    (
        "spec.volumes",
        [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../x"}]}}],
        "spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'",
    ),
    (
        "spec.volumes",
        [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "/x"}]}}],
        'spec.volumes[0].secret.items[0].path: Invalid value: "/x": must be a relative path',
    ),
    (
        "spec.volumes",
        [{"name": "v", "downwardAPI": {"items": [{"path": "..x", "fieldRef": {"fieldPath": "metadata.name"}}]}}],
        "spec.volumes[0].downwardAPI.path: Invalid value: \"..x\": must not start with '..'",
    ),
    (
        "spec.volumes",
        [{"name": "v", "projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "../x"}]}}]}}],
        "spec.volumes[0].projected.sources[0].secret.items[0].path: Invalid value: \"../x\": must not contain '..'",
    ),
    (
        "spec.volumes",
        [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "k", "mode": 0o1000}]}}],
        "spec.volumes[0].configMap.items[0].mode: Invalid value: 512: must be a number between 0 and 0777 (octal)",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), POD_ERRORS, ids=[row[0] for row in POD_ERRORS])
async def test_a_pod_that_cannot_be_is_refused_by_the_field(api: Api, path: str, value: Any, message: str) -> None:
    with refused(422, "Invalid", message):
        await api.create("pods", changed(pod("web", container(SLEEP)), path, value))


WORKLOAD_ERRORS = [
    ("deployments", "spec.selector", {"matchLabels": {"app": "other"}}, "`selector` does not match template `labels`"),
    ("deployments", "spec.selector", None, "spec.selector: Required value"),
    ("deployments", "spec.replicas", -1, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    (
        "deployments",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        "may not be 0 when `maxSurge` is 0",
    ),
    (
        "deployments",
        "spec.template.spec.restartPolicy",
        "Never",
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        "jobs",
        "spec.template.spec.restartPolicy",
        "Always",
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ),
    ("services", "spec.ports", [], "spec.ports: Required value"),
    (
        "services",
        "spec.ports.0.port",
        0,
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    ("services", "spec.ports", [{"port": 1}, {"port": 2}], "spec.ports[0].name: Required value"),
    ("services", "spec.clusterIP", "nowhere", "must be a valid IP address"),
    ("services", "metadata.name", "1st", "a DNS-1035 label must consist of lower case alphanumeric characters"),
    ("configmaps", "data", {"a/b": "c"}, 'data[a/b]: Invalid value: "a/b": a valid config key must consist of'),
    ("configmaps", "data", {"..a": "c"}, "data[..a]: Invalid value: \"..a\": must not start with '..'"),
]
WHOLE = {
    "deployments": lambda: deployment("web", container(SLEEP)),
    "jobs": lambda: job("web", SLEEP),
    "services": lambda: service("web"),
    "configmaps": lambda: configmap("web"),
}


@pytest.mark.parametrize(
    ("plural", "path", "value", "message"), WORKLOAD_ERRORS, ids=[f"{row[0]}-{row[1]}" for row in WORKLOAD_ERRORS]
)
async def test_an_object_that_cannot_be_is_refused_by_the_field(
    api: Api, plural: str, path: str, value: Any, message: str
) -> None:
    with refused(422, "Invalid", message):
        await api.create(plural, changed(WHOLE[plural](), path, value))


async def test_all_that_is_wrong_is_said_at_once_and_by_field(api: Api) -> None:
    wrong = changed(
        changed(deployment("web", container(SLEEP)), "spec.replicas", -1), "spec.selector", {"matchLabels": {"a": "b"}}
    )
    with refused(422, "Invalid", 'Deployment.apps "web" is invalid: [') as caught:
        await api.create("deployments", wrong)
    details = caught.value.status.details
    assert details
    assert (details.name, details.group, details.kind) == ("web", "apps", "Deployment")
    fields = [(cause.field, cause.reason) for cause in details.causes or []]
    assert ("spec.replicas", "FieldValueInvalid") in fields
    assert ("spec.template.metadata.labels", "FieldValueInvalid") in fields


async def test_an_unknown_field_is_refused_warned_of_or_dropped_as_asked(api: Api) -> None:
    typo = changed(service("web"), "spec.port", 3)
    with refused(400, "BadRequest", 'strict decoding error: unknown field "spec.port"'):
        await api.create("services", typo, fieldValidation="Strict")
    query = {"fieldValidation": "Warn", "dryRun": "All"}
    answer = await api.request("POST", api.path("services"), typo, params=query)
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.port\\""'
    assert "port" not in answer.json()["spec"]
    quiet = await api.request("POST", api.path("services"), typo, params=query | {"fieldValidation": "Ignore"})
    assert "Warning" not in quiet.headers


async def test_a_value_of_the_wrong_type_is_refused(api: Api) -> None:
    with refused(
        400, "BadRequest", "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    ):
        await api.create("deployments", deployment("web", container(SLEEP), replicas="three"))


async def test_what_is_not_json_or_another_kind_is_refused(api: Api) -> None:
    path, headers = api.path("configmaps"), {"Content-Type": "application/json"}
    with refused(400, "BadRequest", ""):
        await api.request("POST", path, content=b'{"metadata": ', headers=headers)
    with refused(415, "UnsupportedMediaType", "the body of the request was in an unknown format"):
        await api.request("POST", path, content=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"})
    with refused(400, "BadRequest", 'in version "v1" cannot be handled as a ConfigMap'):
        await api.create("configmaps", pod("web", container(SLEEP)))


async def test_what_the_url_says_and_what_the_object_says_must_agree(api: Api) -> None:
    with refused(
        400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"
    ):
        await api.create("configmaps", configmap("one", metadata={"name": "one", "namespace": "default"}))
    await api.create("configmaps", configmap("one"))
    with refused(400, "BadRequest", "the name of the object (two) does not match the name on the URL (one)"):
        await api.request("PUT", api.path("configmaps", "one"), configmap("two"))
    with refused(422, "Invalid", "metadata.name: Required value: name or generateName is required"):
        await api.create("configmaps", configmap(""))


async def test_a_name_can_be_made_up_by_the_server(api: Api) -> None:
    made = [await api.create("configmaps", {"metadata": {"generateName": "c-"}}) for _ in range(3)]
    names = {obj["metadata"]["name"] for obj in made}
    assert len(names) == 3
    assert all(len(name) == len("c-") + 5 for name in names)


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    with refused(404, "NotFound", 'pods "web" not found'):
        await api.get("pods", "web")
    with refused(404, "NotFound", "the server could not find the requested resource"):
        await api.request("GET", f"/api/v1/namespaces/{api.namespace}/gadgets")
    assert (await api.http.get("/apis/example.com/v1/gadgets")).status_code == 404
    with refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"):
        await api.request("PUT", api.path("configmaps"), configmap("one"))


async def test_a_wrong_token_is_refused_and_none_is_told_the_version(api: Api) -> None:
    with refused(401, "Unauthorized", "Unauthorized"):
        await api.request("GET", api.path("pods"), auth=None, headers={"Authorization": "Bearer wrong"})
    assert (await api.request("GET", "/version", auth=None)).json()["major"] == "1"
