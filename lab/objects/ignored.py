"""What the lab takes and does not act upon: each kind and field is named in a Warning, so that none goes in silence.

Listed are the fields that it acts upon; whatever else somebody asks for is named.
"""

from collections.abc import Iterator
from typing import Any

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object

NO_RBAC = "the lab enforces no RBAC: its one user may do everything"
KINDS = {
    "poddisruptionbudgets": "the lab has no disruption controller; an eviction is never refused",
    "networkpolicies": "the lab lets every pod talk to every other",
    "ingressclasses": "the lab has no ingress controller",
    "roles": NO_RBAC,
    "rolebindings": NO_RBAC,
    "clusterroles": NO_RBAC,
    "clusterrolebindings": NO_RBAC,
}


def _fields(names: str) -> frozenset[str]:
    return frozenset(names.split())


POD = _fields(
    "automountServiceAccountToken containers initContainers nodeName nodeSelector restartPolicy schedulerName "
    "schedulingGates serviceAccount serviceAccountName terminationGracePeriodSeconds volumes"
)
CONTAINER = _fields(
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe restartPolicy "
    "startupProbe volumeMounts workingDir"
)
CONTAINER_PORT = _fields("containerPort name protocol")
LIFECYCLE = _fields("preStop")
MOUNT = _fields("mountPath name")
VOLUME = _fields("configMap emptyDir name secret")
OF_CONFIG_MAP, OF_SECRET = _fields("defaultMode name optional"), _fields("defaultMode optional secretName")
DEPLOYMENT = _fields("minReadySeconds progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template")
JOB = _fields("backoffLimit completions manualSelector parallelism selector template")
SERVICE = _fields("clusterIP clusterIPs externalName ports publishNotReadyAddresses selector type")
SERVICE_PORT = _fields("appProtocol name port targetPort")
NODE = _fields("podCIDR podCIDRs providerID unschedulable")
SERVICE_ACCOUNT = _fields("apiVersion automountServiceAccountToken kind metadata")

# What Kubernetes does when nobody asks for anything else, and so does the lab.
USUAL: dict[str, Any] = {
    "allocateLoadBalancerNodePorts": True,
    "completionMode": "NonIndexed",
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "externalTrafficPolicy": "Cluster",
    "internalTrafficPolicy": "Cluster",
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
    "podReplacementPolicy": "TerminatingOrFailed",
    "preemptionPolicy": "PreemptLowerPriority",
    "protocol": "TCP",
    "sessionAffinity": "None",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}

REASON = {
    field: reason
    for reason, fields in {
        "the lab has one node, on which every pod runs": "affinity taints tolerations topologySpreadConstraints",
        "the lab preempts no pod": "preemptionPolicy priority priorityClassName",
        "a pod of the lab is processes of this machine, not namespaces and cgroups": (
            "hostIPC hostNetwork hostPID hostUsers os overhead resizePolicy resources runtimeClassName securityContext "
            "shareProcessNamespace"
        ),
        "names are asked of the lab's DNS only": "dnsConfig dnsPolicy hostAliases setHostnameAsFQDN",
        "a pod of the lab is ready when its containers are": "readinessGates",
        "the lab pulls no images": "imagePullSecrets",
        "nobody can attach to a container of the lab": "stdin stdinOnce tty",
        "a volume of the lab is a directory of this machine": (
            "medium mountPropagation readOnly recursiveReadOnly sizeLimit volumeDevices"
        ),
        "the lab's Jobs count successes and failures only": (
            "backoffLimitPerIndex completionMode managedBy maxFailedIndexes podFailurePolicy podReplacementPolicy "
            "successPolicy suspend ttlSecondsAfterFinished"
        ),
        "the lab's kube-proxy forwards TCP only": "protocol",
        "in the lab every connection comes from 127.0.0.1": "sessionAffinity sessionAffinityConfig",
        "the lab opens no ports of its node; use the pod's or the Service's address, which this machine reaches": (
            "NodePort externalIPs hostIP hostPort nodePort"
        ),
        "the lab has no load balancer; use the clusterIP, which this machine reaches": (
            "LoadBalancer loadBalancerClass loadBalancerIP loadBalancerSourceRanges"
        ),
    }.items()
    for field in fields.split()
} | {"volumes": f"the lab's volumes are {', '.join(sorted(VOLUME - {'name'}))}"}
OTHERWISE = "nothing in the lab goes by it"

Found = Iterator[tuple[str, str]]  # the path of what is ignored, and by what REASON knows it: mostly the field


def warnings(resource: Resource, obj: Object, old: Object | None = None) -> list[str]:
    """A line for each reason to ignore something of what is written; what was there before has been named before."""
    if reason := KINDS.get(resource.plural):
        return [] if old else [f"the lab stores this {resource.kind} and does not act upon it: {reason}"]
    named = {path for path, _ in _found(resource, old)} if old else set()
    by_reason: dict[str, list[str]] = {}
    for path, field in _found(resource, obj):
        if path not in named:
            by_reason.setdefault(REASON.get(field, OTHERWISE), []).append(path)
    return [f"the lab stores and ignores {', '.join(paths)}: {reason}" for reason, paths in by_reason.items()]


def _found(resource: Resource, obj: Object) -> Found:
    spec = obj.get("spec") or {}
    match resource.plural:
        case "pods":
            yield from _pod(spec, "spec")
        case "services":
            yield from _others(spec, SERVICE, "spec")
            yield from _each(spec, "ports", SERVICE_PORT, "spec")
            if spec.get("type") in ("NodePort", "LoadBalancer"):
                yield f"spec.type: {spec['type']}", spec["type"]
        case "deployments":
            yield from _others(spec, DEPLOYMENT, "spec")
        case "jobs":
            yield from _others(spec, JOB, "spec")
        case "nodes":
            yield from _others(spec, NODE, "spec")
        case "serviceaccounts":
            yield from _others(obj, SERVICE_ACCOUNT, "")
    if resource.plural in ("deployments", "replicasets", "jobs"):
        yield from _pod(spec.get("template", {}).get("spec") or {}, "spec.template.spec")


def _pod(spec: Object, path: str) -> Found:
    yield from _others(spec, POD, path)
    for kind in ("initContainers", "containers"):
        yield from _each(spec, kind, CONTAINER, path)
        for i, container in enumerate(spec.get(kind) or []):
            yield from _each(container, "ports", CONTAINER_PORT, f"{path}.{kind}[{i}]")
            yield from _each(container, "volumeMounts", MOUNT, f"{path}.{kind}[{i}]")
            yield from _others(container.get("lifecycle") or {}, LIFECYCLE, f"{path}.{kind}[{i}].lifecycle")
    yield from ((of_volume, "volumes") for of_volume, _ in _each(spec, "volumes", VOLUME, path))
    for i, volume in enumerate(spec.get("volumes") or []):
        for kind, known in (("emptyDir", frozenset[str]()), ("configMap", OF_CONFIG_MAP), ("secret", OF_SECRET)):
            yield from _others(volume.get(kind) or {}, known, f"{path}.volumes[{i}].{kind}")


def _each(obj: Object, field: str, known: frozenset[str], path: str) -> Found:
    for i, item in enumerate(obj.get(field) or []):
        yield from _others(item, known, f"{path}.{field}[{i}]")


def _others(obj: Object, known: frozenset[str], path: str) -> Found:
    """The fields that are not among the known ones and ask for something."""
    for field, value in obj.items():
        if field not in known and value and value != USUAL.get(field):
            yield f"{path}.{field}".lstrip("."), field
