"""The objects that tests make: as small as Pod Security `restricted` lets them be."""

from typing import Any

from lab.conformance.api import Object

IMAGE = "greeter:dev"


def python(code: str, *args: str) -> list[str]:
    """A command. Addresses and paths stand in `args`, never in the code: the lab adapts them there."""
    return ["python", "-c", code, *args]


SLEEP = python("import time; time.sleep(3600)")
GREETER = ["python", "-m", "greeter_server", "--address=0.0.0.0:8000", "--drain=1s"]
GRPC_READY = {"grpc": {"port": 8000}, "periodSeconds": 1}

# Tells whoever connects its own name (argument 2), and hangs up.
SAY_NAME = """
import socket, sys
host, port = sys.argv[1].split(":")
server = socket.create_server((host, int(port)), backlog=64)
while True:
    connection, _ = server.accept()
    connection.sendall(sys.argv[2].encode())
    connection.close()
"""


def env_field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def container(command: list[str], name: str = "main", **fields: Any) -> Object:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {"name": name, "image": IMAGE, "command": command, "securityContext": security} | fields


def names_itself(port: int = 8000, **fields: Any) -> Object:
    """A container that tells its pod's name to whoever connects."""
    env = [env_field("POD_NAME", "metadata.name")]
    return container(python(SAY_NAME, f"0.0.0.0:{port}", "$(POD_NAME)"), env=env, **fields)


def pod_spec(*containers: Object, **fields: Any) -> Object:
    """Grace of 1 s: most programs here don't listen to SIGTERM."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": list(containers),
    } | fields


def pod(name: str, *containers: Object, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    meta = {"name": name, "labels": labels or {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod_spec(*containers, **spec)}


def program(name: str, code: str, *args: str, **spec: Any) -> Object:
    """A pod that runs Python code once."""
    return pod(name, container(python(code, *args)), **{"restartPolicy": "Never"} | spec)


def workload(kind: str, name: str, *containers: Object, pod_fields: Object | None = None, **spec: Any) -> Object:
    """A Deployment or ReplicaSet whose pods carry the label app=NAME."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(*containers, **pod_fields or {})}
    own = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": own | spec}


def deployment(name: str, *containers: Object, pod_fields: Object | None = None, **spec: Any) -> Object:
    return workload("Deployment", name, *containers, pod_fields=pod_fields, **spec)


def job(name: str, command: list[str], pod_fields: Object | None = None, **spec: Any) -> Object:
    template = {"spec": pod_spec(container(command), **{"restartPolicy": "Never"} | (pod_fields or {}))}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template} | spec}


def service(name: str, port: int = 8000, target: int | str = 8000, **spec: Any) -> Object:
    """A Service in front of the pods with the label app=NAME."""
    ports = [{"name": "grpc", "port": port, "targetPort": target}]
    own = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": own | spec}


def ingress(name: str, ingress_class: str = "nobodys", host: str = "web.example.com", port: int = 8000) -> Object:
    """All paths of a host lead to the Service of the Ingress's own name."""
    backend = {"service": {"name": name, "port": {"number": port}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"ingressClassName": ingress_class, "rules": [rule]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}


def configmap(name: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} | fields


def changed(obj: Object, path: str, value: Any) -> Object:
    """The object with the value at the path, such as spec.containers.0.name."""
    *parents, last = (int(key) if key.isdecimal() else key for key in path.split("."))
    place: Any = obj
    for key in parents:
        place = place[key] if isinstance(key, int) else place.setdefault(key, {})
    place[last] = value
    return obj
