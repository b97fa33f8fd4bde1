"""How the API refuses: with which code and reason. What it refuses in an object's fields is in test_mistakes.py."""

from lab.conformance.api import Api, Object, refused
from lab.conformance.manifests import SLEEP, changed, configmap, container, deployment, pod, service

DRY = {"dryRun": "All"}
INVALID = "FieldValueInvalid"


async def refusal(api: Api, plural: str, obj: Object) -> list[tuple[str | None, str | None]]:
    """The fields for which an object is refused, each with the reason."""
    with refused(422, "Invalid", "") as caught:
        await api.create(plural, obj, **DRY)
    details = caught.value.status.details
    assert details
    return [(cause.field, cause.reason) for cause in details.causes or []]


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
