"""nginx.conf: what nginx is told of the routes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.ingress_nginx.routes import EVERY_HOST, EVERYTHING, Backend, Host, Location, Place, Routes

OWN = ("own", "own.key")  # the files of the controller's own certificate
HEADERS = {
    "Host": "$http_host",
    "X-Request-ID": "$request_id",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Host": "$http_host",
    "X-Forwarded-Proto": "$scheme",
}
KEEPALIVE = 320  # idle connections to the pods of a Service that are kept
# As ingress-nginx has it (log-format-upstream), with what gRPC says of the call at the end.
LOG = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $request_id grpc-status=$grpc_status"
)


@dataclass(frozen=True)
class Addresses:
    """Where nginx listens, each as HOST:PORT."""

    http: str
    https: str
    healthz: str


Certificate = Callable[[str, tuple[bytes, bytes]], tuple[str, str]]  # the files of a host's certificate


def render(routes: Routes, addresses: Addresses, level: str, certificate: Certificate) -> str:
    """`level` is that of the error log: notice, info, debug."""
    return "\n".join(_lines(routes, addresses, level, certificate)) + "\n"


def _lines(routes: Routes, addresses: Addresses, level: str, certificate: Certificate) -> Iterator[str]:
    settings = routes.settings
    yield "daemon off;"
    # One worker: each takes its own turns among the pods.
    yield "worker_processes 1;"
    # How long the streams of before a reload may go on.
    yield f"worker_shutdown_timeout {settings['worker-shutdown-timeout']};"
    yield "pid nginx.pid;"
    yield f"error_log stderr {level};"
    yield "events { worker_connections 16384; }"
    yield "http {"
    yield f"log_format upstreaminfo {_quoted(LOG)};"
    yield "access_log /dev/stdout upstreaminfo;"
    # An error that comes before any message has its status in the headers, and no trailers.
    yield 'map $sent_trailer_grpc_status $grpc_status { "" $sent_http_grpc_status; default $sent_trailer_grpc_status; }'
    yield "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{kind}_temp_path {kind};"
    yield "server_tokens off;"
    yield "server_names_hash_bucket_size 512;"  # a name has up to 253 characters
    yield f"http2 {'on' if settings['use-http2'] == 'true' else 'off'};"
    yield f"keepalive_requests {settings['keep-alive-requests']};"
    yield f"client_body_timeout {settings['client-body-timeout']}s;"
    yield "ssl_protocols TLSv1.2 TLSv1.3;"
    locations = [location for host in routes.hosts.values() for location in host.locations.values()]
    upstreams = {_upstream_name(location): location.backend for location in locations}
    for name in sorted(upstreams):
        yield from _upstream(name, upstreams[name])
    yield f"server {{ listen {addresses.healthz}; location = /healthz {{ access_log off; return 200; }} }}"
    hosts = {EVERY_HOST: Host()} | routes.hosts
    for name in sorted(hosts):
        yield from _server(name, hosts[name], addresses, certificate)
    yield "}"


def _protocol(location: Location) -> str:
    return location.settings["backend-protocol"].lower()


def _upstream_name(location: Location) -> str:
    """One for each protocol: a kept connection speaks one."""
    return f"{_protocol(location)}.{location.backend.name}"


def _upstream(name: str, backend: Backend) -> Iterator[str]:
    if backend.endpoints:
        yield f"upstream {_quoted(name)} {{"
        # max_fails=0: a pod that failed is not left out. That is for its readiness probe to say.
        yield from (f"server {endpoint} max_fails=0;" for endpoint in backend.endpoints)
        yield f"keepalive {KEEPALIVE};"
        yield "}"


def _server(name: str, host: Host, addresses: Addresses, certificate: Certificate) -> Iterator[str]:
    default = " default_server" if name == EVERY_HOST else ""
    yield "server {"
    yield f"listen {addresses.http}{default};"
    yield f"listen {addresses.https} ssl{default};"
    yield f"server_name {_quoted(_server_name(name))};"
    chain, key = certificate(name, host.certificate) if host.certificate and host.certificate[0] else OWN
    yield f"ssl_certificate {_quoted(chain)};"
    yield f"ssl_certificate_key {_quoted(key)};"
    port = addresses.https.rpartition(":")[2]
    for path, location in sorted(host.locations.items()):
        for place in _places(path):
            yield f"location {place} {{"
            yield from _location(location, bool(host.certificate), "" if port == "443" else f":{port}")
            yield "}"
    if EVERYTHING not in host.locations:
        yield "location / { set $proxy_upstream_name upstream-default-backend; return 404; }"
    yield "}"


def _server_name(host: str) -> str:
    """`*.` stands for one label, where nginx would take several."""
    if host.startswith("*."):
        return "~^[^.]+" + re.escape(host[1:]) + "$"
    return host or "_"


def _places(path: Place) -> list[str]:
    """A prefix is a prefix of elements: /a is that of /a/b, and not of /ab."""
    if path.exact:
        return [f"= {_quoted(path.path)}"]
    return ["/"] if path.path == "/" else [f"= {_quoted(path.path)}", _quoted(path.path + "/")]


def _location(location: Location, secured: bool, port: str) -> Iterator[str]:
    settings, backend = location.settings, location.backend
    yield f"set $proxy_upstream_name {_quoted(backend.name)};"
    if settings["force-ssl-redirect"] == "true" or (secured and settings["ssl-redirect"] == "true"):
        yield f"if ($scheme = http) {{ return 308 https://$host{port}$request_uri; }}"
    if not backend.endpoints:
        yield "return 503;"
        return
    yield f"client_max_body_size {settings['proxy-body-size']};"
    protocol = _protocol(location)
    kind = "grpc" if protocol.startswith("grpc") else "proxy"
    yield f"{kind}_pass {_quoted(f'{protocol}://{_upstream_name(location)}')};"
    for what in ("connect", "read", "send"):
        yield f"{kind}_{what}_timeout {settings[f'proxy-{what}-timeout']}s;"
    for header, value in HEADERS.items():
        yield f"{kind}_set_header {header} {value};"
    if kind == "proxy":
        yield "proxy_http_version 1.1;"
        yield "proxy_set_header Upgrade $http_upgrade;"
        yield "proxy_set_header Connection $connection_upgrade;"


def _quoted(text: str) -> str:
    """As nginx reads strings; what comes from a manifest must not end one."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
