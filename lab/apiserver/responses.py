"""Reading what clients send and writing what they get, with its warnings (k8s.io/apiserver/pkg/endpoints)."""

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.objects.decoding import JSON, parse


async def body(request: web.Request) -> Any:
    """The JSON value in a request. Raises errors.BadRequest and errors.UnsupportedMediaType."""
    return parse(await request.read(), request.content_type if "Content-Type" in request.headers else JSON)


def line(value: Object) -> bytes:
    """JSON in one line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def answer(value: Object, status: int = 200, warnings: Iterable[str] = (), *, content_type: str = JSON) -> web.Response:
    """A JSON response, with warnings that kubectl prints."""
    response = web.Response(body=line(value), status=status, headers={"Content-Type": content_type})
    for warning in dict.fromkeys(warnings):
        # RFC 7234: code, agent and quoted text, of which headers take what is printable ASCII.
        text = warning.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{"".join(c for c in text if c.isprintable())}"')
    return response


def success(resource: Resource, obj: Object, status: int = 200) -> web.Response:
    """The answer for an object that is gone."""
    about = {"name": obj["metadata"]["name"], "group": resource.group, "kind": resource.plural}
    details = {key: value for key, value in about.items() if value} | {"uid": obj["metadata"]["uid"]}
    body_ = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return answer(body_, status)


async def stream(request: web.Request, content_type: str, chunks: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """A response that goes on until the chunks end or the client leaves."""
    response = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-cache, private"})
    await response.prepare(request)
    async with aclosing(chunks):
        async for chunk in chunks:
            try:
                await response.write(chunk)
            except ConnectionError:  # the client has left, as watchers do
                break
    return response
