"""The defaults that Kubernetes fills in when an object is written, so that every component can rely on them.

Stands for the generated SetObjectDefaults of k8s.io/kubernetes/pkg/apis, and for what the registries' strategies set:
the addresses of a Service are in registry.py.
"""

import copy
from collections.abc import Callable
from typing import Any

from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import schema_of, structs
from lab.apimachinery.store import Object

# What is the same wherever a type stands in a pod.
TYPES: dict[str, Object] = {
    "PodSpec": {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    "Container": {
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
    "ContainerPort": {"protocol": "TCP"},
    "ObjectFieldSelector": {"apiVersion": "v1"},
    "Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    "HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    "GRPCAction": {"service": ""},
    **{f"{kind}VolumeSource": {"defaultMode": 0o644} for kind in ("ConfigMap", "Secret", "Projected", "DownwardAPI")},
}


def set_defaults(plural: str, obj: Object) -> None:
    """Fill in, in place, what the object leaves open."""
    if plural in KINDS:
        KINDS[plural](obj)


def _default(obj: Object, **values: Any) -> None:
    for field, value in values.items():
        if obj.get(field) in (None, ""):  # which is the same in Go
            obj[field] = value


def _pod(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    _pod_spec(spec)
    _default(spec, enableServiceLinks=True, serviceAccountName="default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    # Of the admission plugins Priority and DefaultTolerationSeconds.
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    _default(spec, priority=0, preemptionPolicy="PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for taint in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{taint}"
        if not any(t.get("key") in (None, "", key) and t.get("effect") in (None, "", "NoExecute") for t in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _pod_spec(spec: Object) -> None:
    pod = schema_of(RESOURCES["pods"])["properties"]["spec"]
    for struct, schema, _ in structs(spec, pod):
        kind = schema.get("title", "")
        _default(struct, **copy.deepcopy(TYPES.get(kind, {})))
        if kind == "Container":
            _container(struct)
        if kind == "Volume" and set(struct) <= {"name"}:
            struct["emptyDir"] = {}
    for container in spec.get("containers", []):
        container.pop("restartPolicy", None)  # KEP-5307, by which each has its own, is off in 1.34
    for container in spec.get("initContainers", []):
        if container.get("restartPolicy") != "Always":
            container.pop("restartPolicy", None)
    if "serviceAccount" in spec or "serviceAccountName" in spec:  # two names of one field, the first one deprecated
        name = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _container(container: Object) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = tag in ("", "latest") and "@" not in image
    _default(container, imagePullPolicy="Always" if latest else "IfNotPresent")
    if limits := container["resources"].get("limits"):
        container["resources"]["requests"] = limits | container["resources"].get("requests", {})


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    _default(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replicaset(replicaset: Object) -> None:
    _default(replicaset.setdefault("spec", {}), replicas=1)
    _template(replicaset["spec"])


def _job(job: Object) -> None:
    spec = job.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _default(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    _default(spec, podReplacementPolicy="TerminatingOrFailed")
    _template(spec)


def _service(service: Object) -> None:
    spec = service.setdefault("spec", {})
    _default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        _default(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports", []):
        _default(port, protocol="TCP")
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port", 0)


def _ingress(ingress: Object) -> None:
    ingress.setdefault("spec", {})


def _secret(secret: Object) -> None:
    _default(secret, type="Opaque")


def _namespace(namespace: Object) -> None:
    meta = namespace["metadata"]
    meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]
    _default(namespace.setdefault("spec", {}), finalizers=["kubernetes"])


KINDS: dict[str, Callable[[Object], None]] = {
    "pods": _pod,
    "deployments": _deployment,
    "replicasets": _replicaset,
    "jobs": _job,
    "services": _service,
    "secrets": _secret,
    "ingresses": _ingress,
    "namespaces": _namespace,
}
