"""What a field's value must be by itself, by the type that the field belongs to."""

from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.fields import (
    Errors,
    Form,
    Rule,
    count,
    count_or_percent,
    filled,
    formed,
    mode,
    one_of,
    port,
)

# The names of most kinds are DNS subdomains, those of RBAC path segments.
NAMES: dict[str, Form] = {"namespaces": fields.DNS_LABEL, "services": fields.DNS_1035_LABEL}

DOWNWARD = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"),
    *("spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)

_PROTOCOL = one_of("SCTP", "TCP", "UDP")
_POLICY = one_of("Cluster", "Local")
_PORT: dict[str, Rule] = {"port": port}
_MODE: dict[str, Rule] = {"defaultMode": mode}
_FILE: dict[str, Rule] = {"path": fields.file_path, "mode": mode}


def _counts(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, count)


def _keys(field: str, data: Object) -> Errors:
    return [error for key in data for error in formed(fields.CONFIG_KEY)(f"{field}[{key}]", key)]


def _downward(field: str, value: str) -> Errors:
    """A field of a pod that its containers may see."""
    known = value.partition("['")[0] in DOWNWARD
    return [] if known else [fields.invalid(field, value, f"must be one of {', '.join(DOWNWARD)}")]


FIELDS: dict[str, dict[str, Rule]] = {
    "PodSpec": {
        "containers": filled,
        "restartPolicy": one_of("Always", "OnFailure", "Never"),
        "dnsPolicy": one_of("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    },
    "Container": {
        "name": fields.name(fields.DNS_LABEL),
        "image": filled,
        "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
    },
    "ContainerPort": {"name": formed(fields.PORT_NAME), "containerPort": port, "protocol": _PROTOCOL},
    "EnvVar": {"name": fields.name(fields.ENV_NAME)},
    "VolumeMount": {"mountPath": filled, "subPath": fields.sub_path, "subPathExpr": fields.sub_path},
    "ObjectFieldSelector": {"fieldPath": _downward},
    "Probe": _counts("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
    "ExecAction": {"command": filled},
    "HTTPGetAction": _PORT,
    "TCPSocketAction": _PORT,
    "GRPCAction": _PORT,
    "Volume": {"name": fields.name(fields.DNS_LABEL)},
    **dict.fromkeys(("ConfigMapVolumeSource", "SecretVolumeSource", "ProjectedVolumeSource"), _MODE),
    "KeyToPath": _FILE,
    "DownwardAPIVolumeFile": _FILE,
    "DeploymentSpec": _counts("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"),
    "DeploymentStrategy": {"type": one_of("Recreate", "RollingUpdate")},
    "RollingUpdateDeployment": {"maxSurge": count_or_percent, "maxUnavailable": count_or_percent},
    "ReplicaSetSpec": _counts("replicas", "minReadySeconds"),
    "JobSpec": _counts("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    | {"completionMode": one_of("NonIndexed", "Indexed")},
    "PodDisruptionBudgetSpec": {"minAvailable": count_or_percent, "maxUnavailable": count_or_percent},
    "ServiceSpec": {
        "type": one_of("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
        "sessionAffinity": one_of("ClientIP", "None"),
        "internalTrafficPolicy": _POLICY,
        "externalTrafficPolicy": _POLICY,
    },
    "ServicePort": {
        "name": formed(fields.DNS_LABEL),
        "port": port,
        "targetPort": port,
        "protocol": _PROTOCOL,
        "appProtocol": formed(fields.QUALIFIED_NAME),
    },
    "HTTPIngressPath": {"pathType": one_of("Exact", "ImplementationSpecific", "Prefix")},
    "EndpointSlice": {"addressType": one_of("FQDN", "IPv4", "IPv6")},
    "Endpoint": {"addresses": filled},
    "ConfigMap": {"data": _keys, "binaryData": _keys},
    "Secret": {"data": _keys},
}
