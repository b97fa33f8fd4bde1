"""Each variant, from outside the cluster: calls of one channel are spread evenly, and grpcurl finds its way."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from testing.channels import connect, outcomes
from testing.cluster import OwnNamespace, until
from testing.ingress import VARIANTS, Outside, grpcurl, is_lab
from testing.processes import process


@pytest.mark.parametrize("variant", VARIANTS)
def test_calls_of_one_channel_are_spread_over_all_pods(namespace: OwnNamespace, variant: str, tmp_path: Path) -> None:
    outside = Outside(namespace, variant)
    outside.apply()
    (ca := tmp_path / "ca.crt").write_bytes(outside.ca)
    target = f"--target={outside.host}:{outside.port}"
    where = (target, f"--connect={outside.address.partition(':')[0]}", f"--ca={ca}")
    measured = subprocess.run(
        [sys.executable, "-m", "ingress.client", *where, "--count=300", "--backends=3", "--warmup=60s", "--json"],
        capture_output=True,
        text=True,
    )
    assert measured.returncode == 0, measured.stderr
    result = json.loads(measured.stdout)
    assert result["failed_attempts"] == 0
    assert len(result["backends"]) == 3
    assert all(abs(backend["calls"] - 100) <= 1 for backend in result["backends"].values()), result["backends"]

    services = grpcurl(outside, ca, outside.address, "list").split()
    assert "helloworld.Greeter" in services
    said = grpcurl(outside, ca, "-d", '{"name": "you"}', outside.address, "helloworld.Greeter/SayHello")
    assert json.loads(said)["message"] == "Hello you"


Object = dict[str, Any]

FOREIGN = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: fortune-ingress
  annotations:
    kubernetes.io/ingress.class: nginx
    nginx.ingress.kubernetes.io/ssl-redirect: "true"
    nginx.ingress.kubernetes.io/backend-protocol: "GRPC"
    nginx.ingress.kubernetes.io/proxy-body-size: 8m
    nginx.ingress.kubernetes.io/limit-connections: "20"
    cert-manager.io/cluster-issuer: letsencrypt
spec:
  rules:
  - host: HOST
    http:
      paths:
      - backend: {service: {name: fortune-teller-service, port: {number: 80}}}
        path: /
        pathType: ImplementationSpecific
  tls:
  - hosts: [HOST]
    secretName: wildcard.dev.example.com
---
apiVersion: v1
kind: Service
metadata:
  name: fortune-teller-service
spec:
  selector: {app.kubernetes.io/component: server}
  ports:
  - {port: 80, targetPort: 8000}
"""


def test_a_manifest_from_elsewhere_works_as_it_is_and_an_event_names_what_is_not_honoured(
    namespace: OwnNamespace,
) -> None:
    """The classic shape: other names, the class as an annotation, a port without a name or an appProtocol."""
    if not is_lab():
        pytest.skip("no ingress-nginx here")
    outside = Outside(namespace, "grpc")
    foreign = yaml.safe_load_all(FOREIGN.replace("HOST", outside.host))
    outside.objects = [obj for obj in outside.objects if obj["kind"] == "Deployment"]
    outside.apply([*outside.objects, *foreign])
    honoured = "limit-connections is not honoured"
    assert honoured in outside.problem("NotHonoured", "fortune-ingress")
    until("an address", lambda: addresses(namespace.get("ingress", "fortune-ingress")))
    [edge] = addresses(namespace.get("ingress", "fortune-ingress"))
    with outside.channel(address=f"{edge}:{outside.port}") as channel:
        connect(channel, backends=3)
        assert sorted(outcomes(channel, 300).values()) == [100, 100, 100]


def addresses(ingress: Object) -> list[str]:
    return [at["ip"] for at in ingress["status"]["loadBalancer"].get("ingress", [])]


def test_the_certificates_are_for_a_namespace_that_has_to_be_named() -> None:
    with process("ingress.certificates") as run:
        assert run.end() == 2
    assert run.lines == ["certificates: no namespace; name one: python -m ingress.certificates default"]


def test_without_its_ca_a_client_says_so_and_greets_nobody(namespace: OwnNamespace) -> None:
    outside = Outside(namespace, "grpc")
    outside.apply()
    outside.until("OK")
    where = (f"--target={outside.host}:{outside.port}", f"--connect={outside.address}")
    with process("ingress.client", *where, "--count=3") as client:
        assert client.end() == 1
    assert any("CERTIFICATE_VERIFY_FAILED" in line for line in client.lines)


def test_a_ca_that_cannot_be_read_is_refused_with_a_remedy() -> None:
    with process("ingress.client", "--ca=missing.crt") as client:
        assert client.end() == 2
    assert "--ca missing.crt: No such file or directory; give the PEM file" in client.lines[-1]
    assert not [line for line in client.lines if "Traceback" in line]
