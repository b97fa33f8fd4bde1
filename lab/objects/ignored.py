"""What the lab takes and does not act upon: each kind and field is named in a Warning, so that none goes in silence.

It is named once in a lab: after the first `kubectl apply` its reader knows.
Listed are the fields that it acts upon; whatever else somebody asks for is named.
"""

import re
from collections.abc import Iterator
from typing import Any

from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import schema_of, structs
from lab.apimachinery.store import Object

NO_RBAC = "its one user may do everything"
KINDS = {
    "poddisruptionbudgets": "it evicts nothing",
    "networkpolicies": "every pod may talk to every other",
    "roles": NO_RBAC,
    "rolebindings": NO_RBAC,
    "clusterroles": NO_RBAC,
    "clusterrolebindings": NO_RBAC,
}


# The fields that the lab acts upon, by the type that has them.
KNOWN = {
    kind: frozenset(names.split())
    for kind, names in {
        "PodSpec": (
            "automountServiceAccountToken containers initContainers nodeName nodeSelector restartPolicy schedulerName "
            "schedulingGates serviceAccount serviceAccountName terminationGracePeriodSeconds volumes"
        ),
        "Container": (
            "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe "
            "restartPolicy startupProbe stdin stdinOnce tty volumeMounts workingDir"
        ),
        "ContainerPort": "containerPort name protocol",
        "Lifecycle": "preStop",
        "VolumeMount": "mountPath name subPath",
        "Volume": "configMap emptyDir name secret",
        "EmptyDirVolumeSource": "",
        "ConfigMapVolumeSource": "defaultMode items name optional",
        "SecretVolumeSource": "defaultMode items optional secretName",
        "DeploymentSpec": (
            "minReadySeconds progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template"
        ),
        "JobSpec": "backoffLimit completions manualSelector parallelism selector template",
        "ServiceSpec": "clusterIP clusterIPs externalName ports publishNotReadyAddresses selector type",
        "ServicePort": "appProtocol name port targetPort",
        "NodeSpec": "podCIDR podCIDRs providerID unschedulable",
        "ServiceAccount": "apiVersion automountServiceAccountToken kind metadata",
    }.items()
}

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

REACHED = "use the clusterIP, with ports under 1024 moved up by 10000"
REASON = {
    field: reason
    for reason, fields in {
        "it has one node, on which every pod runs": "affinity taints tolerations topologySpreadConstraints",
        "it preempts no pod": "preemptionPolicy priority priorityClassName",
        "a pod is processes of this machine, not namespaces and cgroups": (
            "hostIPC hostNetwork hostPID hostUsers os overhead resizePolicy resources runtimeClassName securityContext "
            "shareProcessNamespace"
        ),
        "names are asked of its DNS only": "dnsConfig dnsPolicy hostAliases setHostnameAsFQDN",
        "a pod is ready when its containers are": "readinessGates",
        "it pulls no images": "imagePullPolicy imagePullSecrets",
        "only an init container has one, Always; Kubernetes 1.34 drops others in silence": "restartPolicy",
        "a volume is a directory of this machine": (
            "medium mountPropagation readOnly recursiveReadOnly sizeLimit volumeDevices"
        ),
        "its Jobs count successes and failures only": (
            "backoffLimitPerIndex completionMode managedBy maxFailedIndexes podFailurePolicy podReplacementPolicy "
            "successPolicy suspend ttlSecondsAfterFinished"
        ),
        "its kube-proxy forwards TCP only": "protocol",
        "every connection comes from 127.0.0.1": "sessionAffinity sessionAffinityConfig",
        f"it opens no ports of its node; {REACHED}": "NodePort externalIPs hostIP hostPort nodePort",
        f"it has no load balancer; {REACHED}": (
            "LoadBalancer loadBalancerClass loadBalancerIP loadBalancerSourceRanges"
        ),
    }.items()
    for field in fields.split()
} | {"volumes": f"its volumes are {', '.join(sorted(KNOWN['Volume'] - {'name'}))}"}
OTHERWISE = "nothing goes by it"

Found = Iterator[tuple[str, str]]  # the path of what is ignored, and by what REASON knows it: mostly the field


def ignored(resource: Resource, obj: Object, old: Object | None = None) -> dict[str, str]:
    """The names of what is ignored of what is written, with the reasons; what was there before is left out."""
    if reason := KINDS.get(resource.plural):
        return {} if old else {resource.kind: reason}
    before = {path for path, _ in _found(resource, old)} if old else set()
    found = {path: REASON.get(field, OTHERWISE) for path, field in _found(resource, obj) if path not in before}
    return {re.sub(r"^[^:]*\.", "", path): reason for path, reason in found.items()}


def warnings(found: dict[str, str]) -> list[str]:
    """A line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"the lab ignores {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _found(resource: Resource, obj: Object) -> Found:
    """The fields that are not among the known ones and ask for something."""
    for struct, schema, path in structs(obj, schema_of(resource)):
        kind = schema.get("title", "")
        for field, value in struct.items() if kind in KNOWN else ():
            if field not in KNOWN[kind] and value and value != USUAL.get(field):
                yield path + field, "volumes" if kind == "Volume" else field
            elif _is_ignored(path, field, value):
                yield f"{path}{field}: {value}", field
    if resource.plural == "services" and (kind := obj.get("spec", {}).get("type")) in ("NodePort", "LoadBalancer"):
        yield f"spec.type: {kind}", kind


def _is_ignored(path: str, field: str, value: Any) -> bool:
    """Whether this value is, of a field that it goes by."""
    if field == "restartPolicy" and path.endswith("]."):  # a container's
        return bool(value != "Always" or ".initContainers[" not in path)
    return (field, value) == ("imagePullPolicy", "Always")
