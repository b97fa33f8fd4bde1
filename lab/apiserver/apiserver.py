"""The API server: Kubernetes' REST dialect over the lab's store, for kubectl and every other client.

Stands for kube-apiserver (k8s.io/apiserver/pkg/server and pkg/endpoints). It listens on loopback with TLS, and wants
the token of the lab's kubeconfig: who can write to it starts processes as the user who runs the lab.
"""

import asyncio
import hmac
import logging
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from lab.apimachinery.errors import (
    BadRequest,
    LabError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    StatusError,
    Unauthorized,
)
from lab.apimachinery.store import Store
from lab.apiserver import discovery, openapi
from lab.apiserver.remote_command import Kubelet
from lab.apiserver.responses import answer
from lab.apiserver.resthandlers import Handlers
from lab.apiserver.reviews import review
from lab.network import Network
from lab.objects import addresses
from lab.objects.decoding import JSON

PORT = 10443  # as every port under 1024, 443 moves up by 10000 in the lab
BODY_LIMIT = 3 * 1024 * 1024  # bytes, as in Kubernetes
HEALTH = ("/healthz", "/livez", "/readyz")
OPEN = (*HEALTH, "/version")  # answered without a token

# aiohttp writes a traceback for each request that is no HTTP: that isn't for who runs the lab.
STRANGERS = logging.getLogger("lab.apiserver.strangers")
STRANGERS.addHandler(logging.NullHandler())
STRANGERS.propagate = False

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def run(
    store: Store,
    network: Network,
    state: Path,
    kubelet: Kubelet,
    *,
    tls: ssl.SSLContext,
    token: str,
    ready: asyncio.Event,
) -> None:
    """Serve until cancelled; `ready` is set when it listens. Raises LabError where it can't."""
    server = ApiServer(store, network, state, kubelet, token)
    runner = web.AppRunner(
        server.app, access_log=None, logger=STRANGERS, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await _listen(runner, network.node, tls)
        ready.set()
        await addresses.run(store, network)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str, tls: ssl.SSLContext) -> None:
    try:
        await web.TCPSite(runner, address, PORT, ssl_context=tls).start()
    except OSError as error:
        remedy = f"end what listens on that port of all addresses (ss -lntp 'sport = {PORT}')"
        raise LabError(f"cannot listen on {address}:{PORT} ({os.strerror(error.errno or 0)}): {remedy}") from error


class ApiServer:
    """The aiohttp application."""

    def __init__(self, store: Store, network: Network, state: Path, kubelet: Kubelet, token: str) -> None:
        self._store = store
        self._token = token.encode()
        self._handlers = Handlers(store, network, state, kubelet)
        self.app = web.Application(middlewares=[_errors, self._authenticate], client_max_size=BODY_LIMIT)
        self.app.router.add_route("*", "/{path:.*}", self._serve, expect_handler=_expect)

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = scheme.lower() == "bearer" and hmac.compare_digest(token.encode(errors="surrogateescape"), self._token)
        if not known and request.path not in OPEN:
            raise Unauthorized("Unauthorized")
        return await handler(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/lab/compact":
            return self._compact(request)
        if reviewed := review(path):
            _only(request, "POST")
            return answer(reviewed, 201)
        if response := await self._handlers.handle(request):
            return response
        found = self._document(request)
        if found is None:
            remedy = "kubectl api-resources lists the kinds that it has"
            raise NotFound(f"the server could not find the requested resource: the lab has no {path:.300}; {remedy}")
        _only(request, "GET")
        return found

    def _document(self, request: web.Request) -> web.StreamResponse | None:
        """What is not an object: health, version, discovery, OpenAPI."""
        path = request.path
        if path in HEALTH or path.startswith(tuple(f"{health}/" for health in HEALTH)):
            return web.Response(text="ok")
        if path == "/version":
            return answer(discovery.VERSION)
        if path == "/openapi/v3":
            return answer(openapi.index())
        if path == "/openapi/v2":
            if "protobuf" not in request.headers.get("Accept", ""):
                raise NotFound("the lab has OpenAPI v3 only: kubectl get --raw /openapi/v3")
            # kubectl looks here for a kind that it found nowhere else: an empty document, in protobuf.
            return web.Response(content_type=openapi.V2)
        if path.startswith("/openapi/v3/"):
            document = openapi.document(path.removeprefix("/openapi/v3/"))
            # The address has a hash of the content: a client may keep it, and kubectl does for a day.
            headers = {"Cache-Control": "public, immutable, max-age=86400"}
            return web.Response(body=document, content_type=JSON, headers=headers) if document else None
        found = discovery.document(path.rstrip("/"))
        if found is None:
            return None
        return answer(found, content_type=discovery.AGGREGATED if found["kind"] == discovery.KIND else JSON)

    def _compact(self, request: web.Request) -> web.StreamResponse:
        """The lab's own switch: forget history, so that watches from before get 410 Gone (on a cluster: etcd's)."""
        _only(request, "POST")
        self._store.compact()
        return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


def _only(request: web.Request, method: str) -> None:
    if request.method != method:
        raise MethodNotAllowed("the server does not allow this method on the requested resource")


async def _expect(request: web.Request) -> None:
    """As aiohttp does by default, but that fails for what is no UTF-8."""
    if request.headers["Expect"].lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # that wasn't the answer yet


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a Status whatever goes wrong."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        error: StatusError = RequestEntityTooLarge(f"Request entity too large: limit is {BODY_LIMIT}")
    except web.RequestPayloadError as broken:  # by its transfer or content encoding
        error = BadRequest(f"the body of the request can't be read: {broken}")
    except web.HTTPException as http_error:
        error = BadRequest(http_error.reason)
    except StatusError as status_error:
        error = status_error
    except ConnectionError:  # the client has gone
        raise
    except Exception as bug:
        logging.getLogger(__name__).exception("%s %s", request.method, request.path)
        error = StatusError(f"the lab has a bug: {bug!r}", {"causes": [{"message": repr(bug)}]})
    return answer(error.status(), error.code)
