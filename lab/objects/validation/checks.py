"""What the fields of one object of a type must be to each other, by the type; each is given how their paths begin."""

from collections.abc import Callable

from lab.apimachinery.store import Object
from lab.objects.validation import configs, metadata, networking, pods, workloads
from lab.objects.validation.fields import Errors

TYPES: dict[str, Callable[[Object, str], Errors]] = {
    "ObjectMeta": metadata.metadata,
    "LabelSelector": metadata.selector,
    "LabelSelectorRequirement": metadata.requirement,
    "PodSpec": pods.pod,
    "Container": pods.container,
    "ResourceRequirements": pods.resources,
    "VolumeMount": pods.mount,
    "SecurityContext": pods.security,
    "SeccompProfile": pods.seccomp,
    "Probe": pods.handler,
    "LifecycleHandler": pods.handler,
    "EnvVar": pods.env,
    "EnvFromSource": pods.env_from,
    "ObjectFieldSelector": pods.downward_field,
    "DownwardAPIVolumeFile": pods.downward_file,
    "Toleration": pods.toleration,
    "Volume": pods.volume,
    "DeploymentSpec": workloads.deployment,
    "ReplicaSetSpec": workloads.selected,
    "JobSpec": workloads.job,
    "ServiceSpec": networking.service,
    "EndpointSlice": networking.endpointslice,
    "IngressSpec": networking.ingress,
    "IngressRule": networking.ingress_rule,
    "HTTPIngressPath": networking.ingress_path,
    "IngressBackend": networking.ingress_backend,
    "ConfigMap": configs.configmap,
    "Secret": configs.secret,
}
