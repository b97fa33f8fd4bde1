"""The kinds the lab serves: their names, scope and place in the API, as `kubectl api-resources` lists them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One row of `kubectl api-resources`."""

    plural: str
    kind: str
    group_version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False  # has a /status subresource
    scale: bool = False  # has a /scale subresource

    @property
    def group(self) -> str:
        """The API group, "" for core."""
        return self.group_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.group_version.rpartition("/")[2]

    @property
    def qualified(self) -> str:
        """`deployments.apps`, or `pods` for core: how messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, name: str) -> dict[str, Any]:
        """An object of it, as an error's Status names it."""
        return {"name": name, "kind": self.plural} | ({"group": self.group} if self.group else {})


ALL = ("all",)
APPS, BATCH, DISCOVERY, POLICY = "apps/v1", "batch/v1", "discovery.k8s.io/v1", "policy/v1"
NETWORKING, RBAC, COORDINATION = "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1"

RESOURCES: dict[str, Resource] = {
    resource.plural: resource
    for resource in (
        Resource("namespaces", "Namespace", namespaced=False, short_names=("ns",), status=True),
        Resource("nodes", "Node", namespaced=False, short_names=("no",), status=True),
        Resource("pods", "Pod", short_names=("po",), categories=ALL, status=True),
        Resource("services", "Service", short_names=("svc",), categories=ALL, status=True),
        Resource("configmaps", "ConfigMap", short_names=("cm",)),
        Resource("secrets", "Secret"),
        Resource("serviceaccounts", "ServiceAccount", short_names=("sa",)),
        Resource("events", "Event", short_names=("ev",)),
        Resource("deployments", "Deployment", APPS, short_names=("deploy",), categories=ALL, status=True, scale=True),
        Resource("replicasets", "ReplicaSet", APPS, short_names=("rs",), categories=ALL, status=True, scale=True),
        Resource("jobs", "Job", BATCH, categories=ALL, status=True),
        Resource("leases", "Lease", COORDINATION),
        Resource("endpointslices", "EndpointSlice", DISCOVERY),
        Resource("poddisruptionbudgets", "PodDisruptionBudget", POLICY, short_names=("pdb",), status=True),
        Resource("ingresses", "Ingress", NETWORKING, short_names=("ing",), status=True),
        Resource("ingressclasses", "IngressClass", NETWORKING, namespaced=False),
        Resource("networkpolicies", "NetworkPolicy", NETWORKING, short_names=("netpol",)),
        Resource("roles", "Role", RBAC),
        Resource("rolebindings", "RoleBinding", RBAC),
        Resource("clusterroles", "ClusterRole", RBAC, namespaced=False),
        Resource("clusterrolebindings", "ClusterRoleBinding", RBAC, namespaced=False),
    )
}


def resource_of(obj: dict[str, Any]) -> Resource | None:
    """The resource that an object's apiVersion and kind name, or None where the lab has no such kind."""
    for resource in RESOURCES.values():
        if (resource.group_version, resource.kind) == (obj.get("apiVersion"), obj.get("kind")):
            return resource
    return None
