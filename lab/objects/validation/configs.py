"""What the data of a ConfigMap or Secret must be; `path` is how its paths begin."""

from lab.apimachinery.store import Object
from lab.objects.validation.fields import Errors, invalid, required

SERVICE_ACCOUNT = "kubernetes.io/service-account.name"
KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def configmap(obj: Object, path: str) -> Errors:
    twice = obj.get("data", {}).keys() & obj.get("binaryData", {}).keys()
    return [invalid(f"{path}data[{key}]", key, "is in binaryData too") for key in sorted(twice)]


def secret(obj: Object, path: str) -> Errors:
    """A type asks for its keys; one of the two of basic-auth is enough."""
    kind, data = obj["type"], obj.get("data", {})
    if kind == "kubernetes.io/service-account-token":
        named = obj["metadata"].get("annotations", {}).get(SERVICE_ACCOUNT)
        return [] if named else [required(f"metadata.annotations[{SERVICE_ACCOUNT}]")]
    missing = [key for key in KEYS.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        missing = ["username", "password"]
    return [required(f"{path}data[{key}]") for key in missing]
