"""What the lab takes and does not act upon although a cluster would behave differently for it: named in a Warning.

What is stored and couldn't change what a demo shows (resources, security contexts, tolerations, RBAC) is listed in
README.md and not warned of, since every manifest has it.
"""

from collections.abc import Iterator

from lab.api.resources import NETWORKING, POLICY, Resource
from lab.api.store import Object

KINDS = {
    ("PodDisruptionBudget", POLICY): "the lab has no disruption controller; an eviction is never refused",
    ("NetworkPolicy", NETWORKING): "the lab lets every pod talk to every other",
}
ONE_NODE = "the lab has one node, on which every pod runs"
PROCESSES = "a pod of the lab is processes of this machine, not namespaces and cgroups"
POD = {
    "affinity": ONE_NODE,
    "topologySpreadConstraints": ONE_NODE,
    "priorityClassName": "the lab preempts no pod",
    "runtimeClassName": PROCESSES,
    "hostNetwork": PROCESSES,
    "hostPID": PROCESSES,
    "hostIPC": PROCESSES,
    "shareProcessNamespace": PROCESSES,
    "hostAliases": "names are asked of the lab's DNS only",
    "dnsConfig": "names are asked of the lab's DNS only",
    "readinessGates": "a pod of the lab is ready when its containers are",
}
VOLUMES = ("configMap", "secret", "emptyDir", "projected", "downwardAPI")
JOB = ("managedBy", "maxFailedIndexes", "podFailurePolicy", "successPolicy", "backoffLimitPerIndex")
SERVICE = {
    "externalIPs": "the lab is reachable on loopback only",
    "loadBalancerIP": "the lab has no load balancer",
    "loadBalancerClass": "the lab has no load balancer",
}
VALUES = {
    ("completionMode", "Indexed"): "the lab's Jobs have no indexes",
    ("type", "NodePort"): "the lab opens no node ports; use the clusterIP, which this machine reaches",
    ("type", "LoadBalancer"): "the lab has no load balancer; use the clusterIP, which this machine reaches",
    ("sessionAffinity", "ClientIP"): "in the lab every connection comes from 127.0.0.1",
}


def warnings(resource: Resource, obj: Object) -> list[str]:
    """A line for each part of the object that the lab ignores."""
    return [f"the lab stores {path} and ignores it: {reason}" for path, reason in _found(resource, obj)]


def _found(resource: Resource, obj: Object) -> Iterator[tuple[str, str]]:
    spec = obj.get("spec", {})
    if reason := KINDS.get((resource.kind, resource.group_version)):
        yield f"this {resource.kind}", reason
    elif resource.plural == "pods":
        yield from _pod(spec, "spec")
    elif resource.plural == "services":
        yield from ((f"spec.{field}", reason) for field, reason in SERVICE.items() if field in spec)
    elif resource.plural == "jobs":
        yield from (
            (f"spec.{field}", "the lab's Jobs count successes and failures only") for field in JOB if field in spec
        )
    if "template" in spec:
        yield from _pod(spec["template"]["spec"], "spec.template.spec")
    for (field, value), reason in VALUES.items():
        if spec.get(field) == value:
            yield f"spec.{field}: {value}", reason


def _pod(spec: Object, path: str) -> Iterator[tuple[str, str]]:
    yield from ((f"{path}.{field}", reason) for field, reason in POD.items() if spec.get(field))
    for i, volume in enumerate(spec.get("volumes", [])):
        for source in volume.keys() - {"name", *VOLUMES}:
            yield f"{path}.volumes[{i}].{source}", f"its volumes are {', '.join(VOLUMES)}"
