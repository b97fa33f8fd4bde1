"""Namespaces: furnished when they are new, emptied before they go."""

import pytest

from lab.apimachinery.store import Object, Store
from lab.controllers import namespaces
from lab.testing import running, until


@pytest.fixture
def store() -> Store:
    return Store()


def create(store: Store, name: str) -> None:
    meta = {"name": name}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": {"finalizers": ["kubernetes"]}}
    store.create("namespaces", namespace)


def create_in(store: Store, plural: str, kind: str, name: str, **metadata: object) -> None:
    meta = {"namespace": "shop", "name": name} | metadata
    obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": {"nodeName": "lab"}}
    store.create(plural, obj)


async def test_a_new_namespace_is_active_and_has_a_service_account_and_the_root_ca(store: Store) -> None:
    async with running(namespaces.run(store, "PEM")):
        create(store, "shop")
        await until(lambda: store.find("configmaps", "shop", "kube-root-ca.crt"), "the root CA")
    assert store.get("namespaces", "", "shop")["status"] == {"phase": "Active"}
    assert store.get("configmaps", "shop", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}
    assert store.find("serviceaccounts", "shop", "default")


async def test_the_service_account_comes_back_when_it_is_deleted(store: Store) -> None:
    async with running(namespaces.run(store, "PEM")):
        create(store, "shop")
        first = await until(lambda: store.find("serviceaccounts", "shop", "default"), "the service account")
        store.delete("serviceaccounts", "shop", "default")
        await until(lambda: store.find("serviceaccounts", "shop", "default") not in (None, first), "a new one")


async def test_a_deleted_namespace_waits_for_its_pods_and_keeps_the_rest_for_them(store: Store) -> None:
    async with running(namespaces.run(store, "PEM")):
        create(store, "shop")
        create_in(store, "pods", "Pod", "web")
        create_in(store, "secrets", "Secret", "tls")
        store.delete("namespaces", "", "shop")
        await until(lambda: "deletionTimestamp" in store.get("pods", "shop", "web")["metadata"], "a graceful end")
        status = store.get("namespaces", "", "shop")["status"]
        assert status["phase"] == "Terminating"
        assert status["conditions"][0]["message"] == "Some resources are remaining: pods. has 1 resource instances"
        assert store.find("secrets", "shop", "tls")
        store.delete("pods", "shop", "web", grace=0)
        await until(lambda: store.find("namespaces", "", "shop") is None, "the namespace is gone")
    assert [plural for plural in namespaces.CONTENTS if store.list(plural, "shop")] == []


async def test_an_object_with_a_finalizer_holds_the_namespace_and_is_named(store: Store) -> None:
    async with running(namespaces.run(store, "PEM")):
        create(store, "shop")
        create_in(store, "secrets", "Secret", "tls", finalizers=["example.com/hold"])
        store.delete("namespaces", "", "shop")

        def held() -> bool:
            conditions = store.get("namespaces", "", "shop").get("status", {}).get("conditions", [])
            return any("example.com/hold in 1 resource instances" in c["message"] for c in conditions)

        await until(held, "the finalizer is named")
        store.mutate("secrets", "shop", "tls", lambda secret: secret["metadata"].pop("finalizers"))
        await until(lambda: store.find("namespaces", "", "shop") is None, "the namespace is gone")


async def test_another_namespace_is_left_alone(store: Store) -> None:
    async with running(namespaces.run(store, "PEM")):
        create(store, "shop")
        create(store, "office")
        await until(lambda: store.find("configmaps", "office", "kube-root-ca.crt"), "furnished")
        store.delete("namespaces", "", "shop")
        await until(lambda: store.find("namespaces", "", "shop") is None, "the namespace is gone")
    assert store.get("namespaces", "", "office")["status"] == {"phase": "Active"}
    assert store.find("serviceaccounts", "office", "default")
