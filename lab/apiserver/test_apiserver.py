"""The REST dialect: what is answered to whom, and that whatever is wrong with a request is said with a 4xx."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.apimachinery.errors import LabError
from lab.apimachinery.store import Object, Store
from lab.apiserver import apiserver
from lab.apiserver.apiserver import PORT
from lab.kubeconfig import Credentials
from lab.kubelet.kubelet import Kubelet
from lab.network import Network
from lab.testing.hollow import Call

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
JSON = "application/json"


def config_map(name: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata, "data": {"a": "b"}}


@pytest.mark.parametrize("path", ["/version", "/healthz", "/livez", "/readyz"])
async def test_health_and_version_are_told_to_everybody(call: Call, path: str) -> None:
    assert (await call("GET", path, token="")).code == 200


@pytest.mark.parametrize("path", ["/api", "/openapi/v3", "/lab/compact", "/nope", MAPS, "/healthz/x"])
@pytest.mark.parametrize("token", ["", "wrong", "ÄÖÜ"])
async def test_nothing_else_is_answered_without_the_token(call: Call, path: str, token: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await call(method, path, token=token)
        assert (answer.code, answer.body["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/apps/v2/deployments", 404),
        ("GET", f"{PODS}/a/b/c", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/openapi/v3/apis/nope/v1", 404),
        ("POST", f"{MAPS}/nope", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/lab/compact", 405),
        ("TRACE", MAPS, 405),
        ("GET", f"{MAPS}/nope/scale", 405),
    ],
)
async def test_what_is_not_there_or_not_allowed(call: Call, method: str, path: str, code: int) -> None:
    answer = await call(method, path)
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (code, "Status", "Failure")
    assert isinstance(answer.body["details"], dict)  # kubectl debug panics where it is missing


async def test_a_status_names_the_object_as_clients_go_by(call: Call) -> None:
    details = (await call("GET", f"{SLICES}/nope")).body["details"]
    assert details == {"name": "nope", "kind": "endpointslices", "group": "discovery.k8s.io"}


BAD_BODIES: list[tuple[bytes, str, int, str]] = [
    (b"", JSON, 400, "can't be read"),
    (b"\xff", JSON, 400, "can't be read"),
    (b'"x"', JSON, 400, '"x" is not an object'),
    (b"NaN", JSON, 400, "NaN is not JSON"),
    (b'{"data":{"a":' + b"[" * 500 + b"]" * 500 + b"}}", JSON, 400, "nested deeper"),
    (b"[" * 100_000, JSON, 400, "can't be read"),
    (b"1" * 5000, JSON, 400, "can't be read"),
    (b"{}", "application/foo", 415, "unknown format"),
    (b"{}", "application/vnd.kubernetes.protobuf", 400, "protobuf encoding begins with"),
    (b"k8s\x00\x0a\x03", "application/vnd.kubernetes.protobuf", 400, "cut off"),
    (b'{"metadata":{"name":"x","resourceVersion":"1"}}', JSON, 400, "resourceVersion should not be set"),
    (b" " * (3 * 1024 * 1024 + 1), JSON, 413, "limit is 3145728"),
]


@pytest.mark.parametrize(("body", "kind", "code", "message"), BAD_BODIES, ids=lambda value: str(value)[:30])
async def test_a_body_that_is_none(call: Call, body: bytes, kind: str, code: int, message: str) -> None:
    answer = await call("POST", MAPS, body, kind)
    assert (answer.code, message in answer.body["message"]) == (code, True), answer.body
    assert answer.body["code"] == code


@pytest.mark.parametrize("query", ["resourceVersion=abc", "timeoutSeconds=x", "labelSelector=a+b"])
async def test_a_query_that_is_none(call: Call, query: str) -> None:
    assert (await call("GET", f"{MAPS}?{query}")).code == 400


@pytest.mark.parametrize("query", ["dryRun=foo", "fieldValidation=foo"])
async def test_write_options_that_are_none(call: Call, query: str) -> None:
    answer = await call("POST", f"{MAPS}?{query}", config_map("x"))
    assert (answer.code, 'Unsupported value: "foo"' in answer.body["message"]) == (422, True), answer.body


async def test_answers_as_the_client_wants_them(call: Call) -> None:
    await call("POST", MAPS, config_map("x"))
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    rows = (await call("GET", MAPS, Accept=f"{table},application/json")).body
    assert [row["cells"][:2] for row in rows["rows"]] == [["kube-root-ca.crt", 1], ["x", 1]]
    assert rows["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await call("GET", f"{MAPS}/x?includeObject=Object", Accept=table)).body  # as kubectl --sort-by
    assert whole["rows"][0]["object"]["data"] == {"a": "b"}
    protobuf_first = await call("GET", f"{MAPS}/x", Accept="application/vnd.kubernetes.protobuf,application/json")
    assert protobuf_first.body["kind"] == "ConfigMap"
    assert (await call("GET", MAPS, Accept="text/html")).code == 406


async def test_a_port_that_is_taken_is_said_with_a_remedy(tmp_path: Path) -> None:
    with closing(Network.take()) as network, socket.create_server((network.node, PORT)):
        store, tls, ready = Store(), Credentials().tls(network.node), asyncio.Event()
        kubelet = Kubelet(store, tmp_path, network, lambda _: {})
        with pytest.raises(LabError, match=rf"cannot listen on {network.node}:{PORT} \(Address already in use\): end"):
            await apiserver.run(store, network, tmp_path, kubelet, tls=tls, token="", ready=ready)
