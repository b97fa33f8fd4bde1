"""What a client needs to reach the lab: a certificate authority, a token, and the kubeconfig that holds both.

The user's kubectl edits its kubeconfig (`kubectl config set-context`); each pod is given one of its own.
"""

import base64
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml

NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


@dataclass
class Credentials:
    """Made anew for each lab, and known to nobody but who may read its kubeconfig."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def ca(self) -> str:
        """The certificate authority's certificate, PEM."""
        return self.authority.cert_pem.bytes().decode()

    def tls(self, address: str) -> ssl.SSLContext:
        """The API server's side of TLS, for this address and the names that pods know it by."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(address, *NAMES).configure_cert(context)
        return context

    def kubeconfig(self, server: str, namespace: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": _data(self.ca)}}],
            "users": [{"name": "lab", "user": {"token": self.token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
            "current-context": "lab",
        }


def write(path: Path, kubeconfig: Mapping[str, Any]) -> None:
    """Readable by this user alone: whoever has it starts processes as this user."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(kubeconfig), sort_keys=False))


def _data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
