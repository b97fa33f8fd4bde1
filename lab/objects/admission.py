"""Whether what is about to be created may be, seeing what else there is.

Stands for the admission plugins NamespaceLifecycle and ServiceAccount (k8s.io/apiserver/pkg/admission/plugin).
"""

from lab.apimachinery.errors import Forbidden
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object, Store

IMMORTAL = ("default", "kube-public", "kube-system")


def check_create(store: Store, resource: Resource, obj: Object) -> None:
    """Raises errors.NotFound for a missing namespace, and errors.Forbidden."""
    if not resource.namespaced:
        return
    namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    details = resource.details(name)
    if "deletionTimestamp" in store.get("namespaces", "", namespace)["metadata"]:
        start = f'{resource.qualified} "{name}" is forbidden: unable to create new content'
        raise Forbidden(f"{start} in namespace {namespace} because it is being terminated", details)
    if resource.plural == "pods":
        account = obj["spec"]["serviceAccountName"]
        # The account `default` comes with the namespace, in a moment.
        if account != "default" and not store.find("serviceaccounts", namespace, account):
            where = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise Forbidden(f'pods "{name}" is forbidden: {where}', details)


def check_delete(resource: Resource, name: str) -> None:
    """Raises errors.Forbidden."""
    if resource.plural == "namespaces" and name in IMMORTAL:
        message = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        raise Forbidden(message, resource.details(name))
