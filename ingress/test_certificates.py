"""Certificates at the edge: what a client says that does not trust it, and one that is replaced under calls."""

import datetime

import pytest
import trustme

from testing import tls
from testing.cluster import OwnNamespace, pod_spec, until
from testing.ingress import Outside

EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize("wrong", ["authority", "host", "date"])
def test_a_client_says_why_it_does_not_trust_the_edge_and_no_server_hears_of_it(
    namespace: OwnNamespace, wrong: str
) -> None:
    outside = Outside(namespace, "grpc")
    ca = trustme.CA()
    certificates = {
        "authority": trustme.CA().issue_cert(outside.host),
        "host": ca.issue_cert("other.example.com"),
        "date": ca.issue_cert(outside.host, not_after=EXPIRED),
    }
    outside.replace_certificate(certificates[wrong])
    outside.apply()
    reason = {
        "authority": "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
        "host": "Hostname Verification Check failed",
        "date": "CERTIFICATE_VERIFY_FAILED: certificate has expired",
    }[wrong]
    trusted = ca.cert_pem.bytes()
    until(reason, lambda: reason in outside.answer(ca=trusted), timeout=60, every=0.2)
    assert outside.answer(ca=trusted).startswith("UNAVAILABLE: ")
    for pod in namespace.pods("server"):
        assert "Received" not in namespace.kubectl("logs", pod["metadata"]["name"])


def test_a_certificate_that_is_replaced_is_served_soon_and_no_call_is_dropped(namespace: OwnNamespace) -> None:
    outside = Outside(namespace, "grpc")
    ca = trustme.CA()
    first, second = (ca.issue_cert(outside.host) for _ in range(2))
    outside.replace_certificate(first)
    namespace.kubectl("create", "configmap", "other-ca", f"--from-literal=ca.crt={ca.cert_pem.bytes().decode()}")
    client = next(obj for obj in outside.demo.objects() if obj["metadata"]["name"] == "greeter-client")
    pod_spec([client], "greeter-client")["volumes"][0]["configMap"]["name"] = "other-ca"
    outside.objects.append(client)
    outside.apply()
    outside.until("OK", ca=ca.cert_pem.bytes())
    measurement = namespace.measure("--duration=1h", "--rate=100")
    outside.replace_certificate(second)
    until("the new certificate", lambda: outside.certificate() == tls.der(second), timeout=30, every=0.2)
    result = measurement.stop()
    assert result["failed_attempts"] == 0
    assert result["calls"] > 0
