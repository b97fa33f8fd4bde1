"""What a field's value must be by itself, by the type that the field belongs to."""

from typing import Any

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
from lab.objects.validation.metadata import labels

# The names of most kinds are DNS subdomains, those of RBAC path segments.
NAMES: dict[str, Form] = {"namespaces": fields.DNS_LABEL, "services": fields.DNS_1035_LABEL}

# What must be there although the schemas don't say so.
REQUIRED = {
    "Container": ("image",),
    **dict.fromkeys(("ConfigMapKeySelector", "ConfigMapEnvSource", "ConfigMapVolumeSource"), ("name",)),
    **dict.fromkeys(("SecretKeySelector", "SecretEnvSource"), ("name",)),
    "SecretVolumeSource": ("secretName",),
}

_PROTOCOL = one_of("SCTP", "TCP", "UDP")
_FILE_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_RESOURCES = [f"{a}.{b}" for a in ("limits", "requests") for b in ("cpu", "ephemeral-storage", "memory")]
_PORT: dict[str, Rule] = {"port": port}
_SOURCE: dict[str, Rule] = {"name": fields.name(fields.DNS_SUBDOMAIN)}
_KEY: dict[str, Rule] = {"name": formed(fields.DNS_SUBDOMAIN), "key": fields.name(fields.CONFIG_KEY)}
_MODE: dict[str, Rule] = {"defaultMode": mode}
_FILE: dict[str, Rule] = {"path": fields.file_path, "mode": mode}


def _counts(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, count)


def _keys(field: str, data: Object) -> Errors:
    return [error for key in data for error in formed(fields.CONFIG_KEY)(f"{field}[{key}]", key)]


def _trimmed(field: str, value: str) -> Errors:
    spaces = value != value.strip()
    return [fields.invalid(field, value, "must not begin or end with spaces")] if spaces else []


def _owned(field: str, value: str) -> Errors:
    return [] if value else [fields.invalid(field, value, "must not be empty")]


def _headers(field: str, value: list[Object]) -> Errors:
    return [error for header in value for error in formed(fields.HTTP_HEADER)(field, header.get("name", ""))]


def _each(rule: Rule) -> Rule:
    """A list of such values."""
    return lambda field, value: [e for i, item in enumerate(value) for e in rule(f"{field}[{i}]", item)]


def _strategy(field: str, value: Object) -> Errors:
    return one_of("Recreate", "RollingUpdate")(field, value["type"])


def _share(field: str, value: Any) -> Errors:
    over = isinstance(value, str) and value.removesuffix("%").isdecimal() and int(value.removesuffix("%")) > 100
    found = count_or_percent(field, value)
    return [fields.invalid(field, value, "must not be greater than 100%")] if over and not found else found


def _topology(field: str, value: str) -> Errors:
    return filled(field, value) + formed(fields.QUALIFIED_NAME)(field, value)


def _seconds(field: str, value: int) -> Errors:
    return [] if 0 < value < 1 << 31 else [fields.invalid(field, value, "must be between 1 and 2147483647, inclusive")]


def _downwards(field: str, value: str) -> Errors:
    return [fields.invalid(field, value, "must not contain '..'")] if ".." in value.split("/") else []


FIELDS: dict[str, dict[str, Rule]] = {
    "OwnerReference": dict.fromkeys(("apiVersion", "kind", "name", "uid"), _owned),
    "PodSpec": {
        "containers": filled,
        "restartPolicy": one_of("Always", "OnFailure", "Never"),
        "dnsPolicy": one_of("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
        "activeDeadlineSeconds": _seconds,
        "nodeName": formed(fields.DNS_SUBDOMAIN),
        "nodeSelector": lambda field, value: labels(value, field),
        "hostname": formed(fields.DNS_LABEL),
        "subdomain": formed(fields.DNS_LABEL),
        "os": lambda field, value: one_of("linux", "windows")(field, value.get("name", "")),
    },
    "PodSchedulingGate": {"name": lambda field, value: []},  # checked with the others
    "PodReadinessGate": {"conditionType": formed(fields.QUALIFIED_NAME)},
    "HostAlias": {"ip": fields.ip, "hostnames": _each(formed(fields.DNS_SUBDOMAIN))},
    "Toleration": {"effect": one_of("NoSchedule", "PreferNoSchedule", "NoExecute")},
    "NodeSelector": {"nodeSelectorTerms": filled},
    "PodAffinityTerm": {"topologyKey": _topology},
    "TopologySpreadConstraint": {
        "maxSkew": fields.positive,
        "topologyKey": filled,
        "whenUnsatisfiable": one_of("DoNotSchedule", "ScheduleAnyway"),
    },
    "PodSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), fields.user),
    "SecurityContext": dict.fromkeys(("runAsUser", "runAsGroup"), fields.user),
    "SeccompProfile": {"type": fields.there(one_of("Localhost", "RuntimeDefault", "Unconfined"))},
    "Container": {
        "name": fields.name(fields.DNS_LABEL),
        "image": fields.there(_trimmed),
        "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
        "terminationMessagePolicy": one_of("File", "FallbackToLogsOnError"),
    },
    "ContainerPort": {"name": formed(fields.PORT_NAME), "containerPort": fields.there(port), "hostPort": port}
    | {"protocol": _PROTOCOL},
    "EnvVar": {"name": fields.name(fields.ENV_NAME)},
    "EnvFromSource": {"prefix": formed(fields.ENV_NAME)},
    **dict.fromkeys(("ConfigMapEnvSource", "SecretEnvSource"), _SOURCE),
    **dict.fromkeys(("ConfigMapKeySelector", "SecretKeySelector"), _KEY),
    "ResourceFieldSelector": {"resource": fields.there(one_of(*_RESOURCES))},
    "VolumeMount": {"name": filled, "mountPath": filled, "subPath": fields.sub_path, "subPathExpr": fields.sub_path}
    | {"mountPropagation": one_of("Bidirectional", "HostToContainer", "None")},
    "Probe": _counts("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
    "ExecAction": {"command": filled},
    "HTTPGetAction": _PORT | {"scheme": one_of("HTTP", "HTTPS"), "httpHeaders": _headers},
    "TCPSocketAction": _PORT,
    "GRPCAction": _PORT,
    "Volume": {"name": fields.name(fields.DNS_LABEL)},
    **dict.fromkeys(("ConfigMapVolumeSource", "SecretVolumeSource", "ProjectedVolumeSource"), _MODE),
    "HostPathVolumeSource": {"path": fields.there(_downwards), "type": one_of("", *_FILE_TYPES)},
    "SleepAction": {"seconds": lambda field, value: []},  # 0 too, and else as the grace period lets it
    "KeyToPath": _FILE,
    "DownwardAPIVolumeFile": _FILE,
    "DeploymentSpec": _counts("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    | {"strategy": _strategy},
    "RollingUpdateDeployment": {"maxSurge": count_or_percent, "maxUnavailable": _share},
    "ReplicaSetSpec": _counts("replicas", "minReadySeconds"),
    "JobSpec": _counts("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    | {
        "completionMode": one_of("NonIndexed", "Indexed"),
        "podReplacementPolicy": one_of("Failed", "TerminatingOrFailed"),
        "managedBy": formed(fields.DOMAIN_PATH),
    },
    "PodFailurePolicyRule": {"action": one_of("Count", "FailIndex", "FailJob", "Ignore")},
    "PodDisruptionBudgetSpec": {"minAvailable": count_or_percent, "maxUnavailable": count_or_percent},
    "ServiceSpec": {
        "type": one_of("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
        "sessionAffinity": one_of("ClientIP", "None"),
        "internalTrafficPolicy": one_of("Cluster", "Local"),
        "trafficDistribution": one_of("PreferClose", "PreferSameZone", "PreferSameNode"),
        "ipFamilies": _each(one_of("IPv4", "IPv6")),
        "ipFamilyPolicy": one_of("PreferDualStack", "RequireDualStack", "SingleStack"),
    },
    "ServicePort": {
        "name": formed(fields.DNS_LABEL),
        "port": port,
        "targetPort": port,
        "protocol": _PROTOCOL,
        "appProtocol": formed(fields.QUALIFIED_NAME),
    },
    "HTTPIngressRuleValue": {"paths": filled},
    "HTTPIngressPath": {"pathType": fields.there(one_of("Exact", "ImplementationSpecific", "Prefix"))},
    "EndpointSlice": {"addressType": one_of("FQDN", "IPv4", "IPv6")},
    "Endpoint": {"addresses": filled},
    "ConfigMap": {"data": _keys, "binaryData": _keys},
    "Secret": {"data": _keys},
}
