"""Prints what the manifests need and a repository must not hold, for `kubectl apply -f -`: a certificate and its CA.

`python -m ingress.certificates NAMESPACE` prints a Secret of the type kubernetes.io/tls, in that namespace, with a
certificate for every host of dev.example.com; and a ConfigMap with the CA that clients trust. Each run makes a new CA.
On a cluster of your own, cert-manager or your company's CA takes this place.
"""

import sys

import trustme
import yaml

NAME = "wildcard.dev.example.com"


def main() -> int:
    if len(sys.argv) < 2:
        print("certificates: no namespace; name one: python -m ingress.certificates default", file=sys.stderr)
        return 2
    namespace = sys.argv[1]
    ca = trustme.CA(organization_name="greeter")
    certificate = ca.issue_cert("*.dev.example.com", organization_name="greeter")
    chain, key = certificate.cert_chain_pems[0].bytes(), certificate.private_key_pem.bytes()
    labels = {"app.kubernetes.io/name": "greeter", "app.kubernetes.io/part-of": "ingress"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": chain.decode(), "tls.key": key.decode()},
    }
    authority = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "greeter-ca", "namespace": namespace, "labels": labels},
        "data": {"ca.crt": ca.cert_pem.bytes().decode()},
    }
    print(yaml.safe_dump_all([secret, authority], sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
