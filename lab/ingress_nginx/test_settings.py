"""Annotations and the ConfigMap: each by what it does to a call; and the failures of those who set them wrong."""

import http.client
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from lightkube.resources.networking_v1 import Ingress

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from lab.ingress_nginx.conftest import PREFIX, Edge
from testing.processes import greeter, wait_until

BIG = 2 << 20  # bytes


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """The address of a greeter."""
    with greeter() as (_, address):
        yield address


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that terminates TLS, with a certificate that nobody has a reason to trust."""
    directory: Path = tmp_path_factory.mktemp("tls")
    certificate = trustme.CA().issue_cert("greeter-server")
    certificate.cert_chain_pems[0].write_to_path(directory / "tls.crt")
    certificate.private_key_pem.write_to_path(directory / "tls.key")
    with greeter(f"--tls-cert={directory}/tls.crt", f"--tls-key={directory}/tls.key") as (_, address):
        yield address


@pytest.mark.parametrize(
    ("protocol", "tls", "expected"),
    [
        ("GRPC", False, "127.0.0.1"),
        ("GRPCS", True, "127.0.0.1"),  # whose certificate is not checked, as in ingress-nginx
        ("GRPC", True, "UNAVAILABLE: Received http2 header with status: 502"),
        ("GRPCS", False, "UNAVAILABLE: Received http2 header with status: 502"),
        (None, False, "UNKNOWN: Received http2 header with status: 0"),
        (None, True, "UNAVAILABLE: Received http2 header with status: 502"),
    ],
)
def test_the_protocol_is_that_of_the_backend_or_the_client_is_told_so(
    edge: Edge, plain: str, secured: str, protocol: str | None, tls: bool, expected: str
) -> None:
    edge.service(secured if tls else plain)
    edge.ingress(backend_protocol=protocol)
    edge.until(expected)  # what speaks HTTP/1.1 with a server of HTTP/2 now and then waits in vain, instead


def test_a_body_may_be_as_large_as_it_is_said_to_be(edge: Edge, plain: str) -> None:
    edge.service(plain)
    edge.ingress()
    assert edge.answer() == "127.0.0.1"
    assert edge.answer(size=BIG) == "UNKNOWN: Received http2 header with status: 413"
    annotate(edge, proxy_body_size="3m")
    edge.until("127.0.0.1", size=BIG)


def annotate(edge: Edge, **values: str | None) -> None:
    annotations = {PREFIX + name.replace("_", "-"): value for name, value in values.items()}
    edge.client.patch(Ingress, "web", {"metadata": {"annotations": annotations}}, namespace=edge.namespace)


@pytest.mark.parametrize("talks", ["nobody", "the client"])
def test_a_stream_on_which_the_server_is_silent_is_cut_after_the_read_timeout(
    edge: Edge, plain: str, talks: str
) -> None:
    """The server answers each message of the client at once."""
    edge.service(plain)
    edge.ingress(proxy_read_timeout="1")
    assert edge.answer() == "127.0.0.1"
    done = threading.Event()

    def requests() -> Iterator[HelloRequest]:
        yield HelloRequest(name="first")
        for _ in range(5):
            done.wait(0.5 if talks == "the client" else 60)
            yield HelloRequest(name="next")

    with edge.channel() as channel:
        stream = GreeterStub(channel).SayHelloStream(requests())
        if talks == "the client":
            assert len(list(stream)) == 6
        else:
            next(stream)
            with pytest.raises(grpc.RpcError):
                next(stream)
            assert stream.code() == grpc.StatusCode.INTERNAL
            assert "RST_STREAM" in stream.details()
        done.set()


def redirect(edge: Edge) -> tuple[int, str]:
    """What plain HTTP is answered with."""
    connection = http.client.HTTPConnection(edge.address, 8080, timeout=5)
    connection.request("POST", "/helloworld.Greeter/SayHello?x=1", headers={"Host": edge.host})
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.getheader("Location") or ""


@pytest.mark.parametrize(
    ("annotations", "tls", "redirected"),
    [
        ({}, True, True),  # the default, once there is a certificate
        ({}, False, False),
        ({"ssl_redirect": "false"}, True, False),
        ({"force_ssl_redirect": "true"}, False, True),
    ],
)
def test_plain_http_is_redirected_where_that_is_asked_for(
    edge: Edge, plain: str, annotations: dict[str, str], tls: bool, redirected: bool
) -> None:
    edge.service(plain)
    edge.ingress(**annotations, spec={} if tls else {"tls": []})
    location = f"https://{edge.host}:8443/helloworld.Greeter/SayHello?x=1"
    if redirected:
        assert redirect(edge) == (308, location)
    else:
        assert redirect(edge) == (502, "")  # of the backend, which speaks HTTP/2 only
    with grpc.insecure_channel(f"{edge.address}:8080", [("grpc.default_authority", edge.host)]) as channel:
        try:
            said = str(GreeterStub(channel).SayHello(HelloRequest(name="x"), timeout=5).backend_ip)
        except grpc.RpcError as error:
            said = str(error.details())
    assert said == ("Received http2 header with status: 308" if redirected else "127.0.0.1")


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("configuration-snippet", "return 418;", "configuration-snippet is not honoured: this controller knows back"),
        ("backend-protocol", "grpc", 'backend-protocol is "grpc", which is ignored; write one of HTTP, HTTPS, GRPC'),
        ("proxy-read-timeout", "60s", 'proxy-read-timeout is "60s", which is ignored; write a number of seconds'),
        ("proxy-body-size", "8 m; }", 'proxy-body-size is "8 m; }", which is ignored; write a size such as 8m'),
        ("use-http2", "false", "use-http2 is not honoured"),  # of the ConfigMap alone
    ],
)
def test_an_annotation_that_is_not_honoured_is_named_and_the_rest_holds(
    edge: Edge, plain: str, annotation: str, value: str, message: str
) -> None:
    edge.service(plain)
    given: dict[str, Any] = {"backend_protocol": "GRPC"} | {annotation.replace("-", "_"): value}
    edge.ingress(**given)
    assert edge.problem("NotHonoured").startswith(PREFIX + message)
    if annotation != "backend-protocol":
        edge.until("127.0.0.1")


def test_an_edge_without_http2_lets_no_client_of_grpc_in_and_does_again_when_it_has_it(
    edge: Edge, plain: str, settings: Callable[..., None]
) -> None:
    edge.service(plain)
    edge.ingress()
    assert edge.answer() == "127.0.0.1"
    settings(use_http2="false")

    def refused() -> bool:
        return "TLSV1_ALERT_NO_APPLICATION_PROTOCOL" in edge.answer()

    wait_until("no protocol in common", refused)
    settings(use_http2="true")
    edge.until("127.0.0.1")


def test_a_client_that_is_silent_is_cut_after_the_body_timeout(
    edge: Edge, plain: str, settings: Callable[..., None]
) -> None:
    """Of request streams: no annotation has it, only the ConfigMap."""
    settings(client_body_timeout="1")
    edge.service(plain)
    edge.ingress()
    assert edge.answer() == "127.0.0.1"
    done = threading.Event()

    def requests() -> Iterator[HelloRequest]:
        yield HelloRequest(name="first")
        done.wait(60)

    with edge.channel() as channel:
        stream = GreeterStub(channel).SayHelloStream(requests())
        next(stream)
        with pytest.raises(grpc.RpcError):
            next(stream)
        done.set()
        assert stream.code() == grpc.StatusCode.INTERNAL
        assert "RST_STREAM" in stream.details()
