"""Malformed requests: whatever comes, the API answers within seconds with something below 500, and goes on.

Part of the suite are some requests, the same ones each time; LAB_FUZZ_REQUESTS=20000 makes as many others.
"""

import asyncio
import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from yarl import URL

from lab.apimachinery.resources import RESOURCES
from lab.objects.patches import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC
from lab.testing.hollow import HollowLab, hollow_lab

SECONDS = 5.0  # after which a request that has no answer hangs
REQUESTS = int(os.environ.get("LAB_FUZZ_REQUESTS", "0"))

# Parts of real requests, so that what is wrong is often only one thing.
WORDS = """
metadata spec status data name labels annotations finalizers containers env image ports valueFrom resources template
selector matchLabels matchExpressions replicas kind strategy clusterIP type managedFields ownerReferences apiVersion
resourceVersion deletionTimestamp $patch $retainKeys $setElementOrder/containers $deleteFromPrimitiveList/finalizers
conditions endpoints involvedObject op path value volumes livenessProbe volumeMounts
""".split()  # noqa: SIM905 (words, not a list of lines)
WEB = [*"default web 25% -1 10m remove /spec/replicas 1e99 a/b ..".split(), "x" * 300, "\ud800", "\x00"]  # noqa: SIM905
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=12) | st.sampled_from(WEB)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)
META = {"name": "web", "labels": {"a": "b"}, "annotations": {"a": "b"}}
CONTAINER = {"name": "c", "image": "greeter:dev", "ports": [{"containerPort": 8000}], "env": [{"name": "A"}]}
PODS: dict[str, Any] = {"containers": [CONTAINER]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": PODS}
GOOD: dict[str, dict[str, Any]] = {
    "configmaps": {"data": {"a": "b"}},
    "deployments": {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}},
    "endpointslices": {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": 1}]},
    "events": {"involvedObject": {"kind": "Pod", "name": "web"}, "lastTimestamp": "2026-01-01T00:00:00Z"},
    "jobs": {"spec": {"template": {"spec": PODS | {"restartPolicy": "Never"}}}},
    "namespaces": {"spec": {}},
    "pods": {"spec": PODS},
    "secrets": {"data": {"a": "Yg=="}},
    "services": {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
}
CONDITIONS = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """A good value in which something is replaced by anything."""
    value = json.loads(json.dumps(value))
    node = value
    while node:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if isinstance(node, dict) and (draw(st.booleans()) or not isinstance(node[key], dict | list)):
            node[draw(st.sampled_from([key, key, *WORDS]))] = draw(VALUES)
            break
        if not isinstance(node[key], dict | list):
            node[key] = draw(VALUES)
            break
        node = node[key]
    return value


QUERY_NAMES = """
watch limit continue resourceVersion labelSelector fieldSelector dryRun fieldValidation timeoutSeconds tailLines
sinceSeconds container gracePeriodSeconds propagationPolicy follow
""".split()  # noqa: SIM905 (words, not a list of lines)
QUERY_VALUES = ["", *"0 -1 true All x ! metadata.name=web Orphan".split(), "9" * 30, "a in (b", "a notin (b)"]  # noqa: SIM905
QUERIES = st.dictionaries(st.sampled_from(QUERY_NAMES), st.sampled_from(QUERY_VALUES) | st.text(max_size=8), max_size=2)
PATCHES = [MERGE_PATCH, STRATEGIC, APPLY, JSON_PATCH]
TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "a/b", ";", *PATCHES]
ACCEPTS = ["", "application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html", ";;,=", "*/*"]
GARBAGE = st.binary(max_size=60) | st.sampled_from([b"k8s\x00\x0a\x02", b"[" * 2000, b"&a [*a]", b"1" * 9999])
NAMES = st.sampled_from(["x" * 300, "\u00e9\x01", "%2f", "..", "a b"]) | st.text(min_size=1, max_size=5)
POINTERS = ["/spec/replicas", "/metadata/name", "/metadata/labels/a", "/spec/template/spec/containers/0", "/x/-", ""]


@st.composite
def requests(draw: st.DrawFn) -> "Request":
    """Mostly what a client with a bug would send: one thing is wrong, or a few."""

    def rarely() -> bool:
        return draw(st.integers(0, 9)) == 0

    plural = draw(st.sampled_from(sorted(GOOD)))
    resource = RESOURCES[plural]
    prefix = f"apis/{resource.group_version}" if resource.group else "api/v1"
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"]))
    kind = draw(st.sampled_from(PATCHES if method == "PATCH" else TYPES if rarely() else TYPES[:2]))
    value = draw(broken({"apiVersion": resource.group_version, "kind": resource.kind, "metadata": META} | GOOD[plural]))
    parts = ["namespaces", draw(NAMES) if rarely() else "default"] if resource.namespaced else []
    parts.append(plural)
    if method != "POST" and (method != "GET" or draw(st.booleans())):
        parts.append(draw(NAMES) if rarely() else "web")
        if draw(st.integers(0, 3)) == 0:
            parts.append(draw(st.sampled_from(["status", "scale", "log", "eviction", "exec", "a b"])))
            value = draw(broken(draw(st.sampled_from([CONDITIONS, {"spec": {"replicas": 1}}]))))
    if kind == JSON_PATCH:
        operation = {"op": "replace", "path": draw(st.sampled_from(POINTERS)), "value": draw(VALUES)}
        value = [operation | draw(st.fixed_dictionaries({}, optional={"op": SCALARS, "from": SCALARS}))]
    if method == "DELETE":
        value = draw(broken({"gracePeriodSeconds": 0, "preconditions": {"uid": "x"}, "propagationPolicy": "Orphan"}))
    return (
        draw(st.sampled_from(["HEAD", "OPTIONS", "NOPE"])) if rarely() else method,
        "/".join(["", prefix, *(quote(part, safe="") for part in parts)]),
        draw(QUERIES) if draw(st.booleans()) else {},
        draw(GARBAGE) if rarely() else json.dumps(value).encode(),
        {"Accept": draw(st.sampled_from(ACCEPTS if rarely() else ACCEPTS[:3])), "Content-Type": kind},
    )


Request = tuple[str, str, dict[str, str], bytes, dict[str, str]]


async def send(session: aiohttp.ClientSession, lab: HollowLab, request: Request) -> int:
    """The code of the answer."""
    method, path, query, body, headers = request
    url = f"{lab.server}{path}?{urlencode({'fieldManager': 'fuzz'} | query, errors='replace')}"
    headers = {"Authorization": f"Bearer {lab.credentials.token}"} | headers
    async with (
        asyncio.timeout(SECONDS),  # that this is over is a hang, and fails
        session.request(method, URL(url, encoded=True), data=body, headers=headers) as response,
    ):
        if response.status == 200 and {"watch", "follow"} & query.keys():
            return 200  # it has no end; that a client leaves in the middle is part of the game
        text = await response.read()
        # A method that HTTP has not is refused before it is a request for the API.
        refused = response.status == 400 and response.content_type == "text/plain"
        if response.status >= 400 and method != "HEAD" and not refused:
            status = json.loads(text)
            assert (status["kind"], status["code"]) == ("Status", response.status), request
            assert isinstance(status["details"], dict), request
        return response.status


@pytest.mark.timeout(max(300, REQUESTS / 5))
async def test_malformed_requests_are_answered_below_500(tmp_path: Path) -> None:
    codes: dict[int, int] = {}
    async with hollow_lab(tmp_path) as lab:
        tls = ssl.create_default_context(cadata=lab.credentials.ca)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, force_close=True)) as session:
            loop = asyncio.get_running_loop()

            @settings(
                max_examples=REQUESTS or 300,
                derandomize=not REQUESTS,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(requests())
            def fuzz(request: Request) -> None:
                code = asyncio.run_coroutine_threadsafe(send(session, lab, request), loop).result()
                codes[code] = codes.get(code, 0) + 1
                assert code < 500, request

            await asyncio.to_thread(fuzz)  # Hypothesis isn't asynchronous: it has a thread of its own
            async with session.get(f"{lab.server}/version") as response:
                assert response.status == 200
    assert {200, 201, 400, 404} <= codes.keys(), f"requests that miss the point: {codes}"
