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
WORDS = (
    *("metadata", "spec", "status", "data", "name", "namespace", "labels", "annotations", "finalizers"),
    *("containers", "initContainers", "image", "ports", "containerPort", "env", "valueFrom", "fieldRef", "resources"),
    *("template", "selector", "matchLabels", "matchExpressions", "replicas", "strategy", "rollingUpdate", "maxSurge"),
    *("clusterIP", "type", "managedFields", "ownerReferences", "resourceVersion", "uid", "deletionTimestamp"),
    *("$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "apiVersion"),
    *("kind", "conditions", "containerStatuses", "state", "endpoints", "addresses", "involvedObject", "roleRef"),
    *("op", "path", "value", "from", "volumes", "livenessProbe", "httpGet", "port", "volumeMounts", "lifecycle"),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["default", "web", "x" * 300, "25%", "-1", "10m", "RollingUpdate", "remove", "/spec/replicas", "Always"]
    ),
    st.sampled_from(["9999-12-31T23:59:59Z", "1e99", "a/b", "..", "\ud800", "\x00", "None", "delete", "replace"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), children, max_size=5)
    ),
    max_leaves=25,
)
META = {"name": "web", "labels": {"a": "b"}, "annotations": {"a": "b"}}
PODS = {
    "containers": [{"name": "c", "image": "greeter:dev", "ports": [{"containerPort": 8000}], "env": [{"name": "A"}]}]
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": PODS}
SELECTOR = {"matchLabels": {"a": "b"}}
CONDITIONS = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
GOOD: dict[str, dict[str, Any]] = {
    "configmaps": {"data": {"a": "b"}},
    "deployments": {"spec": {"replicas": 1, "selector": SELECTOR, "template": TEMPLATE}},
    "endpointslices": {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": 1}]},
    "events": {"involvedObject": {"kind": "Pod", "name": "web"}, "lastTimestamp": "2026-01-01T00:00:00Z"},
    "jobs": {"spec": {"template": {"spec": PODS | {"restartPolicy": "Never"}}}},
    "namespaces": {"spec": {}},
    "pods": {"spec": PODS},
    "secrets": {"data": {"a": "Yg=="}},
    "services": {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
}


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


QUERY_NAMES = (
    *("watch", "limit", "continue", "resourceVersion", "labelSelector", "fieldSelector", "dryRun", "force"),
    *("fieldManager", "fieldValidation", "timeoutSeconds", "tailLines", "sinceTime", "sinceSeconds", "container"),
    *("gracePeriodSeconds", "propagationPolicy", "includeObject", "sendInitialEvents", "limitBytes", "follow"),
)
QUERY_VALUES = st.sampled_from(
    (
        *("", "0", "1", "-1", "true", "All", "Strict", "9" * 30, "x", "a in (b", "!", "metadata.name=web", "a,b,c"),
        *("Orphan", "Foreground", "2026-01-01T00:00:00Z", "eyJydiI6MX0=", "status.phase=a", "a=b", "a notin (b)"),
    )
)
QUERIES = st.dictionaries(st.sampled_from(QUERY_NAMES), QUERY_VALUES | st.text(max_size=8), max_size=2)
PATCHES = [MERGE_PATCH, STRATEGIC, APPLY, JSON_PATCH]
TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "a/b", "", *PATCHES]
ACCEPTS = ["", "application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html", ";;,=", "*/*"]
# A Content-Length that is less than the body cuts it off. With more, the client would not have sent its request yet.
HEADERS = {
    "Accept": st.sampled_from(ACCEPTS)
    | st.from_regex(r"[a-z*]{1,9}/[a-z*]{1,5}(;[a-z]{1,3}=?[a-zA-Z]{0,5})?", fullmatch=True),
    "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "identity", "x"]),
    "Content-Length": st.sampled_from(["0", "1", "7"]),
    "Content-Type": st.sampled_from([*TYPES, "application/json; charset=utf-16", "application/json;;", ";", "json"]),
    "Expect": st.sampled_from(["100-continue", "x"]),
    "Kubectl-Command": st.sampled_from(["kubectl run", "kubectl debug", "x"]),
    "Upgrade": st.sampled_from(["websocket", "SPDY/3.1", "h2c"]),
    "User-Agent": st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=200),
}
GARBAGE = st.binary(max_size=60) | st.sampled_from(
    [b"k8s\x00\x0a\x02", b"[" * 2000, b'{"a":' * 500, b"&a [*a]", b"1" * 9999]
)
NAMES = st.sampled_from(["x" * 300, "\u00e9\x01", "%2f", "..", "a b"]) | st.text(min_size=1, max_size=5)
BELOW = ["status", "scale", "log", "eviction", "exec", "a b"]


@st.composite
def requests(draw: st.DrawFn) -> "Request":
    """Mostly what a client with a bug would send: one thing is wrong, or a few."""

    def rarely() -> bool:
        return draw(st.integers(0, 9)) == 0

    plural = draw(st.sampled_from(sorted(GOOD)))
    resource = RESOURCES[plural]
    prefix = f"apis/{resource.group_version}" if resource.group else "api/v1"
    namespace = ["namespaces", "default"] if resource.namespaced else []
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"]))
    kind = draw(st.sampled_from(PATCHES if method == "PATCH" else TYPES[:2]))
    value = draw(broken({"apiVersion": resource.group_version, "kind": resource.kind, "metadata": META} | GOOD[plural]))
    parts = (
        [] if method == "POST" or (method == "GET" and draw(st.booleans())) else [draw(NAMES) if rarely() else "web"]
    )
    if parts and draw(st.integers(0, 3)) == 0:
        parts.append(draw(st.sampled_from(BELOW)))
        value = draw(broken(draw(st.sampled_from([CONDITIONS, {"spec": {"replicas": 1}}]))))
    if kind == JSON_PATCH:
        pointers = [
            "/spec/replicas",
            "/metadata/name",
            "/metadata/labels/a",
            "/spec/template/spec/containers/0",
            "/x/-",
            "",
        ]
        operation = {"op": "replace", "path": draw(st.sampled_from(pointers)), "value": draw(VALUES)}
        value = [operation | draw(st.fixed_dictionaries({}, optional={"op": SCALARS, "from": SCALARS}))]
    if method == "DELETE":
        value = draw(broken({"gracePeriodSeconds": 0, "preconditions": {"uid": "x"}, "propagationPolicy": "Orphan"}))
    if rarely():
        namespace = [draw(NAMES)] * draw(st.integers(0, 3))
    path = "/".join(quote(part, safe="") for part in [*namespace, plural, *parts])
    body = draw(GARBAGE) if rarely() else json.dumps(value).encode()
    headers = {"Accept": draw(st.sampled_from(ACCEPTS[:3])), "Content-Type": kind}
    if draw(st.integers(0, 2)) == 0:
        name = draw(st.sampled_from(sorted(HEADERS)))
        headers[name] = draw(HEADERS[name])
    return (
        draw(st.sampled_from(["HEAD", "OPTIONS", "NOPE"])) if rarely() else method,
        f"/{draw(st.sampled_from(['api', 'apis/x', 'openapi/v3', ''])) if rarely() else prefix}/{path}",
        draw(QUERIES) if draw(st.booleans()) else {},
        body,
        headers,
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
        if response.status == 200 and ({"watch", "follow"} & query.keys() or "Kubectl-Command" in headers):
            return 200  # it has no end; that a client leaves in the middle is part of the game
        text = await response.read()
        # What HTTP has not, of methods, codings and expectations, is refused before it is a request for the API.
        refused = response.status in (400, 417) and response.content_type == "text/plain"
        if response.status >= 400 and method != "HEAD" and not refused:
            status = json.loads(text)
            assert (status["kind"], status["code"]) == ("Status", response.status), request
            assert isinstance(status["details"], dict), request
        return response.status


@pytest.mark.timeout(max(120, REQUESTS / 5))
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
