"""The order in which a namespace is emptied."""

from lab.apimachinery.store import Object, Store
from lab.controllers import namespaces
from lab.testing import running, until


def create_in(store: Store, plural: str, kind: str, name: str) -> None:
    meta = {"namespace": "shop", "name": name}
    obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": {"nodeName": "lab"}}
    store.create(plural, obj)


async def test_a_deleted_namespace_waits_for_its_pods_and_keeps_the_rest_for_them() -> None:
    store, meta = Store(), {"name": "shop"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": {"finalizers": ["kubernetes"]}}
    async with running(namespaces.run(store, "PEM")):
        store.create("namespaces", namespace)
        create_in(store, "pods", "Pod", "web")
        create_in(store, "secrets", "Secret", "tls")
        store.delete("namespaces", "", "shop")
        await until(lambda: "deletionTimestamp" in store.get("pods", "shop", "web")["metadata"], "a graceful end")
        assert store.get("namespaces", "", "shop")["status"]["phase"] == "Terminating"
        assert store.find("secrets", "shop", "tls")
        store.delete("pods", "shop", "web", grace=0)
        await until(lambda: store.find("namespaces", "", "shop") is None, "the namespace is gone")
    assert [plural for plural in namespaces.CONTENTS if store.list(plural, "shop")] == []
