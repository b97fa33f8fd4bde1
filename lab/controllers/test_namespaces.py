"""The order in which a namespace is emptied."""

from lab.apimachinery.store import Store
from lab.controllers import namespaces
from lab.testing import create, running, until


async def test_a_deleted_namespace_waits_for_its_pods_and_keeps_the_rest_for_them() -> None:
    store = Store()
    async with running(namespaces.run(store, "PEM")):
        create(store, "namespaces", "shop", spec={"finalizers": ["kubernetes"]})
        create(store, "pods", "web", spec={"nodeName": "lab", "containers": []})
        create(store, "secrets", "tls")
        store.delete("namespaces", "", "shop")
        await until(lambda: "deletionTimestamp" in store.get("pods", "shop", "web")["metadata"], "a graceful end")
        assert store.get("namespaces", "", "shop")["status"]["phase"] == "Terminating"
        assert store.find("secrets", "shop", "tls")
        store.delete("pods", "shop", "web", grace=0)
        await until(lambda: store.find("namespaces", "", "shop") is None, "the namespace is gone")
    assert [plural for plural in namespaces.CONTENTS if store.list(plural, "shop")] == []
