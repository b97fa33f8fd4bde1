"""What the API refuses: with which code and reason, and by which field. How it words it is its own affair."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from lab.conformance.api import Api, Object, refused
from lab.conformance.manifests import SLEEP, configmap, container, deployment, ingress, job, pod, service

DRY = {"dryRun": "All"}
REQUIRED, INVALID, DUPLICATE = "FieldValueRequired", "FieldValueInvalid", "FieldValueDuplicate"
FORBIDDEN, UNSUPPORTED, UNKNOWN = "FieldValueForbidden", "FieldValueNotSupported", "FieldValueNotFound"


def changed(obj: Object, path: str, value: Any) -> Object:
    """The object with the value at the path, such as spec.containers.0.name."""
    *parents, last = path.split(".")
    place: Any = obj
    for key in parents:
        place = place[int(key)] if key.isdecimal() else place.setdefault(key, {})
    place[last] = value
    return obj


async def refusal(api: Api, plural: str, obj: Object) -> list[tuple[str | None, str | None]]:
    """The fields for which an object is refused, each with the reason."""
    with refused(422, "Invalid", "") as caught:
        await api.create(plural, obj, **DRY)
    details = caught.value.status.details
    assert details
    return [(cause.field, cause.reason) for cause in details.causes or []]


EXEC = {"exec": {"command": ["true"]}}
FIELD = {"fieldRef": {"fieldPath": "metadata.name"}}
MOUNT = {"name": "none", "mountPath": "/data"}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": ""}


def volume(**source: Any) -> list[Object]:
    return [{"name": "v"} | source]


def item(**fields: Any) -> Object:
    return {"name": "c", "items": [{"key": "k"} | fields]}


# Where what is set, and the field that is refused then: "" for the same one, ".x" and "[0]" for one below it.
CONTAINER_ERRORS: list[tuple[str, Any, str, str]] = [
    ("name", "", "", REQUIRED),
    ("name", "A", "", INVALID),
    ("image", "", "", REQUIRED),
    ("imagePullPolicy", "Sometimes", "", UNSUPPORTED),
    ("ports", [{"containerPort": 70000}], "[0].containerPort", INVALID),
    ("ports", [{"name": "grpc"}], "[0].containerPort", REQUIRED),
    ("ports", [{"containerPort": 1, "protocol": "GRPC"}], "[0].protocol", UNSUPPORTED),
    ("ports", [{"name": "n", "containerPort": i} for i in (1, 2)], "[1].name", DUPLICATE),
    ("env", [{"name": ""}], "[0].name", REQUIRED),
    ("env", [{"name": "a=b"}], "[0].name", INVALID),
    ("env", [{"name": "A", "value": "1", "valueFrom": FIELD}], "[0].valueFrom", INVALID),
    ("env", [{"name": "A", "valueFrom": {}}], "[0].valueFrom", INVALID),
    ("env", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}], "[0].valueFrom.secretKeyRef.key", REQUIRED),
    (
        "env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.colour"}}}],
        "[0].valueFrom.fieldRef.fieldPath",
        INVALID,
    ),
    ("volumeMounts", [MOUNT], "[0].name", UNKNOWN),
    ("volumeMounts", [MOUNT, MOUNT], "[1].mountPath", INVALID),
    ("volumeMounts", [MOUNT | {"subPath": "a/../../x"}], ".subPath", INVALID),
    ("volumeMounts", [MOUNT | {"subPathExpr": "/x"}], ".subPathExpr", INVALID),
    ("readinessProbe", {"periodSeconds": 1}, "", REQUIRED),
    ("readinessProbe", EXEC | {"tcpSocket": {"port": 1}}, ".tcpSocket", FORBIDDEN),
    ("livenessProbe", {"grpc": {"port": 8000}, "successThreshold": 2}, ".successThreshold", INVALID),
    ("livenessProbe", EXEC | {"periodSeconds": -2}, ".periodSeconds", INVALID),
    ("livenessProbe", {"exec": {}}, ".exec.command", REQUIRED),
    ("livenessProbe", {"grpc": {"port": 0}}, ".grpc.port", INVALID),
    ("livenessProbe", {"httpGet": {"port": "longer-than-15-characters"}}, ".httpGet.port", INVALID),
    ("lifecycle", {"preStop": {"sleep": {"seconds": 100}}}, ".preStop.sleep", INVALID),
]
POD_ERRORS: list[tuple[str, Any, str, str]] = [
    ("metadata.name", "Web", "", INVALID),
    ("metadata.labels", {"a b": "c"}, "", INVALID),
    ("metadata.labels", {"a": "b c"}, "", INVALID),
    ("metadata.annotations", {"a b": "c"}, "", INVALID),
    ("metadata.finalizers", ["a b"], "", INVALID),
    ("metadata.ownerReferences", [OWNER], ".uid", INVALID),
    ("spec.containers", [], "", REQUIRED),
    ("spec.containers", [container(SLEEP)] * 2, "[1].name", DUPLICATE),
    ("spec.initContainers", [container(SLEEP)], "[0].name", DUPLICATE),
    ("spec.initContainers", [container(SLEEP, "i", livenessProbe=EXEC)], "[0].livenessProbe", FORBIDDEN),
    ("spec.restartPolicy", "Sometimes", "", UNSUPPORTED),
    ("spec.volumes", volume() * 2, "[1].name", DUPLICATE),
    ("spec.volumes", volume(configMap={}), "[0].configMap.name", REQUIRED),
    ("spec.volumes", volume(configMap={"name": "c"}, emptyDir={}), "[0].configMap", FORBIDDEN),
    ("spec.volumes", volume(configMap=item(path="../x")), "[0].configMap.items[0].path", INVALID),
    ("spec.volumes", volume(configMap=item(path="")), "[0].configMap.items[0].path", REQUIRED),
    ("spec.volumes", volume(configMap=item(path="k", mode=0o1000)), "[0].configMap.items[0].mode", INVALID),
    ("spec.volumes", volume(downwardAPI={"items": [FIELD | {"path": "..x"}]}), "[0].downwardAPI.path", INVALID),
    (
        "spec.volumes",
        volume(projected={"sources": [{"secret": item(path="/x")}]}),
        "[0].projected.sources[0].secret.items[0].path",
        INVALID,
    ),
]
OTHER_ERRORS: list[tuple[str, str, Any, str, str]] = [
    ("deployments", "spec.selector", {"matchLabels": {"app": "other"}}, "spec.template.metadata.labels", INVALID),
    ("deployments", "spec.selector", None, "", REQUIRED),
    ("deployments", "spec.replicas", -1, "", INVALID),
    (
        "deployments",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        ".rollingUpdate.maxUnavailable",
        INVALID,
    ),
    (
        "deployments",
        "spec.strategy",
        {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
        ".rollingUpdate",
        FORBIDDEN,
    ),
    ("deployments", "spec.template.spec.restartPolicy", "Never", "", UNSUPPORTED),
    (
        "deployments",
        "spec.template.spec.volumes",
        volume(configMap=item(path="../x")),
        "[0].configMap.items[0].path",
        INVALID,
    ),
    ("jobs", "spec.template.spec.restartPolicy", "Always", "", REQUIRED),
    ("jobs", "spec.parallelism", -1, "", INVALID),
    ("jobs", "spec.completionMode", "Odd", "", UNSUPPORTED),
    ("services", "spec.ports", [], "", REQUIRED),
    ("services", "spec.ports.0.port", 0, "", INVALID),
    ("services", "spec.ports.0.protocol", "GRPC", "", UNSUPPORTED),
    ("services", "spec.ports", [{"port": 1}, {"port": 2}], "[0].name", REQUIRED),
    ("services", "spec.ports", [{"name": "n", "port": 1}, {"name": "n", "port": 2}], "[1].name", DUPLICATE),
    ("services", "spec.type", "Odd", "", UNSUPPORTED),
    ("services", "spec", {"type": "ExternalName"}, ".externalName", REQUIRED),
    ("services", "spec.clusterIP", "nowhere", "spec.clusterIPs[0]", INVALID),
    ("services", "metadata.name", "1st", "", INVALID),
    ("ingresses", "spec", {}, "", INVALID),
    ("ingresses", "spec.rules.0.host", "10.0.0.1", "", INVALID),
    ("ingresses", "spec.rules.0.host", "a.*.example.com", "", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.path", "web", "", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.path", "/a//b", "", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.pathType", "Regex", "", UNSUPPORTED),
    ("ingresses", "spec.rules.0.http.paths.0.backend", {}, "", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.backend.service.name", "A", "", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.backend", {"service": {"name": "web"}}, "", REQUIRED),
    (
        "ingresses",
        "spec.rules.0.http.paths.0.backend",
        {"service": {"name": "web", "port": {"name": "a", "number": 1}}},
        "",
        INVALID,
    ),
    ("ingresses", "spec.rules.0.http.paths.0.backend.service.port", {"number": 70000}, ".number", INVALID),
    ("ingresses", "spec.rules.0.http.paths.0.backend.service.port", {"name": "A"}, ".name", INVALID),
    ("namespaces", "metadata.name", "a.b", "", INVALID),
    ("configmaps", "data", {"a/b": "c"}, "[a/b]", INVALID),
    ("configmaps", "data", {"..a": "c"}, "[..a]", INVALID),
    ("secrets", "data", {"..": ""}, "[..]", INVALID),
]
WHOLE: dict[str, Callable[[], Object]] = {
    "pods": lambda: pod("web", container(SLEEP)),
    "deployments": lambda: deployment("web", container(SLEEP)),
    "jobs": lambda: job("web", SLEEP),
    "services": lambda: service("web"),
    "ingresses": lambda: ingress("web"),
    "configmaps": lambda: configmap("web"),
    "secrets": lambda: {"metadata": {"name": "web"}},
    "namespaces": lambda: {"metadata": {"name": "web"}},
}
ERRORS = [
    *(("pods", f"spec.containers.0.{path}", *rest) for path, *rest in CONTAINER_ERRORS),
    *(("pods", *row) for row in POD_ERRORS),
    *OTHER_ERRORS,
]


def field_of(path: str, below: str) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", path) + below if below[:1] in ("", ".", "[") else below


@pytest.mark.parametrize(
    ("plural", "path", "value", "below", "reason"),
    ERRORS,
    ids=[f"{e[0]}-{field_of(e[1], e[3])}-{e[4]}" for e in ERRORS],
)
async def test_an_object_that_cannot_be_is_refused_by_the_field(
    root: Api, plural: str, path: str, value: Any, below: str, reason: str
) -> None:
    assert (field_of(path, below), reason) in await refusal(root, plural, changed(WHOLE[plural](), path, value))


async def test_all_that_is_wrong_is_said_at_once(root: Api) -> None:
    wrong = changed(deployment("web", container(SLEEP)), "spec.replicas", -1)
    wrong = changed(wrong, "spec.selector", {"matchLabels": {"a": "b"}})
    found = await refusal(root, "deployments", wrong)
    assert {("spec.replicas", INVALID), ("spec.template.metadata.labels", INVALID)} <= set(found)


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
    with refused(400, "BadRequest", 'Deployment in version "v1" cannot be handled as a Deployment: '):
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
