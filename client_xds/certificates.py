"""Prints what the manifests of mtls need and a repository must not hold, for `kubectl apply -f -`: certificates.

`python -m client_xds.certificates NAMESPACE` prints two Secrets in that namespace: who the servers are, and who the
clients are, each with its key and the CA that both trust. A certificate names a workload, as SPIFFE does
(spiffe://greeter/client), not a host: pods come and go, and one that calls has no host name to prove. Each run makes a
new CA. On a cluster of your own cert-manager, SPIRE or a mesh takes this place.
"""

import datetime
import sys

import trustme
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

SERVER, CLIENT = "spiffe://greeter/server", "spiffe://greeter/client"
VALID = datetime.timedelta(days=30)
CLOCKS = datetime.timedelta(minutes=5)  # that others may be behind


def main() -> int:
    if len(sys.argv) < 2:
        print("certificates: no namespace; name one: python -m client_xds.certificates default", file=sys.stderr)
        return 2
    ca = trustme.CA(organization_name="greeter")
    secrets = [
        secret("greeter-server-tls", sys.argv[1], issued(ca, SERVER, host="greeter-server")),
        secret("greeter-client-tls", sys.argv[1], issued(ca, CLIENT)),
    ]
    print(yaml.safe_dump_all(secrets, sort_keys=False), end="")
    return 0


def secret(name: str, namespace: str, files: dict[str, bytes]) -> dict[str, object]:
    labels = {"app.kubernetes.io/name": "greeter", "app.kubernetes.io/part-of": "client_xds"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "type": "kubernetes.io/tls",
        "stringData": {name: pem.decode() for name, pem in files.items()},
    }


def issued(ca: trustme.CA, identity: str, host: str = "") -> dict[str, bytes]:
    """A new certificate for an identity, as the files of a Secret: for a server where a host is given, or a client.

    gRPC without xDS, and grpcurl, check a server's host and nothing else. trustme's own certificates have no URIs.
    """
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity)]
    if host:
        names.append(x509.DNSName(host))
    usage = ExtendedKeyUsageOID.SERVER_AUTH if host else ExtendedKeyUsageOID.CLIENT_AUTH
    authority = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    signer = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # trustme's default
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)  # as there is no subject (RFC 5280, 4.2.1.6)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return {
        "tls.crt": certificate.public_bytes(pem),
        "tls.key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
        "ca.crt": ca.cert_pem.bytes(),
    }


if __name__ == "__main__":
    sys.exit(main())
