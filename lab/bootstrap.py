"""What is in a cluster before anybody has written to it: its first namespaces, and the Service `kubernetes`.

Stands for kube-apiserver's bootstrap controllers (k8s.io/kubernetes/pkg/controlplane/controller).
"""

from lab.apimachinery.store import Object, Store
from lab.apiserver.apiserver import PORT
from lab.network import Network
from lab.objects import defaults

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
META: Object = {"name": "kubernetes", "namespace": "default"}
WHERE = (META["namespace"], META["name"])


def furnish(store: Store, network: Network) -> None:
    """Write it into a new store."""
    for name in NAMESPACES:
        namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        defaults.set_defaults("namespaces", namespace)
        store.create("namespaces", namespace | {"status": {"phase": "Active"}})
    _publish(store, network)


async def run(store: Store, network: Network) -> None:
    """Put the Service `kubernetes` back when somebody has deleted it, as `kubectl delete all --all` does."""
    with store.watch(["services", "endpointslices"]) as changes:
        async for change in changes:
            if change.type == "DELETED" and change.key[1:] == WHERE:
                _publish(store, network)


def _publish(store: Store, network: Network) -> None:
    """The Service and its EndpointSlice, where they are missing."""
    if not store.find("services", *WHERE):
        # On a cluster it proxies to the API servers. Here its address is the API server's own, and its port, moved up
        # as all ports under 1024 are, the one where it listens: there is nothing left for kube_proxy to do.
        labels = {"component": "apiserver", "provider": "kubernetes"}
        service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": META | {"labels": labels}}
        ports = [{"name": "https", "port": PORT - 10000, "targetPort": PORT}]
        service["spec"] = {"clusterIP": network.node, "clusterIPs": [network.node], "ports": ports}
        defaults.set_defaults("services", service)
        store.create("services", service | {"status": {"loadBalancer": {}}})
    if not store.find("endpointslices", *WHERE):
        slice_: Object = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
        slice_["metadata"] = META | {"labels": {"kubernetes.io/service-name": META["name"]}}
        slice_["endpoints"] = [{"addresses": [network.node], "conditions": {"ready": True}}]
        slice_["ports"] = [{"name": "https", "port": PORT, "protocol": "TCP"}]
        store.create("endpointslices", slice_)
