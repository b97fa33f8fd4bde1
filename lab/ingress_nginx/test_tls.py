"""Certificates: which one is served to whom, what a client says that does not trust it, and how one is replaced."""

import base64
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from lab.ingress_nginx.conftest import Edge, path, tls_secret
from testing import tls
from testing.channels import outcomes
from testing.processes import Process, greeter, wait_until

EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
OWN = "the controller's own certificate is served, which nobody trusts"


@pytest.fixture
def backend() -> Iterator[tuple[Process, str]]:
    with greeter() as started:
        yield started


def test_each_host_has_its_own_certificate_and_an_unknown_one_the_controllers(
    edge: Edge, backend: tuple[Process, str]
) -> None:
    edge.service(backend[1])
    hosts = [f"{name}.{edge.namespace}.example.com" for name in ("a", "b", "nobody")]
    certificates = {host: edge.ca.issue_cert(host) for host in hosts[:2]}
    for number, (host, certificate) in enumerate(certificates.items()):
        edge.create(tls_secret(f"secret-{number}", certificate))
        edge.ingress(
            name=f"web-{number}", host=host, spec={"tls": [{"secretName": f"secret-{number}", "hosts": [host]}]}
        )
    for host, certificate in certificates.items():
        edge.until("127.0.0.1", host=host)
        assert edge.certificate(host) == tls.der(certificate)
    assert b"Kubernetes Ingress Controller Fake Certificate" in edge.certificate(hosts[2])


@pytest.mark.parametrize("wrong", ["authority", "host", "date"])
def test_a_client_that_does_not_trust_the_edge_says_why_and_sends_it_nothing(
    edge: Edge, backend: tuple[Process, str], wrong: str
) -> None:
    server, address = backend
    edge.service(address)
    bad = {
        "authority": lambda: trustme.CA().issue_cert(edge.host),
        "host": lambda: edge.ca.issue_cert("other.example.com"),
        "date": lambda: edge.ca.issue_cert(edge.host, not_after=EXPIRED),
    }[wrong]()
    edge.create(tls_secret("bad", bad))
    edge.ingress(spec={"tls": [{"secretName": "bad", "hosts": [edge.host]}]})
    wait_until("that certificate is served", lambda: edge.certificate(edge.host) == tls.der(bad))
    said = edge.answer()
    reason = {
        "authority": "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
        "host": "Hostname Verification Check failed.",
        "date": "CERTIFICATE_VERIFY_FAILED: certificate has expired",
    }[wrong]
    assert said.startswith("UNAVAILABLE: ")
    assert reason in said
    assert not server.said("Received")


def test_a_secret_that_is_replaced_is_served_within_seconds_and_no_call_is_dropped(
    edge: Edge, backend: tuple[Process, str]
) -> None:
    edge.service(backend[1])
    edge.ingress()
    assert edge.answer() == "127.0.0.1"
    new = edge.ca.issue_cert("*.dev.example.com")
    with edge.channel() as channel:
        assert outcomes(channel, 10) == {"127.0.0.1": 10}
        edge.client.patch(
            Secret,
            "wildcard",
            {"data": tls.secret_data(new)},
            namespace=edge.namespace,
            patch_type=PatchType.MERGE,
        )
        seen: Any = outcomes(channel, 1)

        def replaced() -> bool:
            seen.update(outcomes(channel, 10))
            return edge.certificate(edge.host) == tls.der(new)

        wait_until("the new certificate", replaced)
        seen.update(outcomes(channel, 10))
        assert seen.keys() == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        (None, "SecretNotFound", "it must be in the namespace of the Ingress"),
        ({"ca.crt": "x"}, "InvalidSecret", "has no tls.crt and no tls.key"),
        ({"tls.crt": "no certificate", "tls.key": "no key"}, "InvalidSecret", "can't be used"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_the_other_hosts_keep_theirs(
    edge: Edge, backend: tuple[Process, str], data: dict[str, str] | None, reason: str, message: str
) -> None:
    edge.service(backend[1])
    if data is not None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        edge.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bad"}, "type": "Opaque", "data": encoded}
        )
    host = f"bad.{edge.namespace}.example.com"
    edge.ingress(name="bad", host=host, spec={"tls": [{"secretName": "bad", "hosts": [host]}]})
    edge.ingress()
    said = edge.problem(reason, "bad")
    assert message in said
    assert OWN in said
    edge.until("127.0.0.1")
    assert b"Fake Certificate" in edge.certificate(host)


def test_a_secret_of_another_type_is_as_good(edge: Edge, backend: tuple[Process, str]) -> None:
    """As in ingress-nginx, which looks at its keys."""
    edge.service(backend[1])
    edge.create(tls_secret("opaque", edge.ca.issue_cert(edge.host)) | {"type": "Opaque"})
    edge.ingress(path(), spec={"tls": [{"secretName": "opaque"}]})
    assert edge.answer() == "127.0.0.1"
