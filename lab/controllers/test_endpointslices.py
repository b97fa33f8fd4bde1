"""EndpointSlices: who is in them, and which are whose; the test plays the kubelet."""

from typing import Any

from lab.apimachinery.endpointslices import slices_of
from lab.apimachinery.store import Object, Store
from lab.controllers import endpointslices
from lab.objects.defaults import set_defaults
from lab.testing import running, set_ready, settled, until


def create_service(store: Store, name: str = "web", **spec: Any) -> Object:
    ports = [{"name": "grpc", "port": 80, "targetPort": 8000}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": name}}
    service["spec"] = {"clusterIP": "None", "selector": {"app": "web"}, "ports": ports} | spec
    set_defaults("services", service)
    return store.create("services", service)


def create_pod(store: Store, name: str, ip: str, *, ready: bool = True, **spec: Any) -> Object:
    container = {"name": "c", "ports": [{"name": "http2", "containerPort": 9000, "protocol": "TCP"}]}
    meta = {"namespace": "shop", "name": name, "labels": {"app": "web"}}
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
    pod = store.create("pods", pod | {"spec": {"nodeName": "lab", "containers": [container]} | spec})
    set_ready(store, pod, ready=ready, ip=ip)
    return pod


def endpoints(store: Store) -> dict[str, Object]:
    """The endpoints of all slices, by address."""
    found = [endpoint for s in slices_of(store, "shop", "web") for endpoint in s["endpoints"] or []]
    return {endpoint["addresses"][0]: endpoint for endpoint in found}


def conditions(store: Store, ip: str) -> tuple[bool, bool, bool]:
    """ready, serving, terminating"""
    found = endpoints(store)[ip]["conditions"]
    return found["ready"], found["serving"], found["terminating"]


async def test_conditions_follow_readiness_and_termination(store: Store) -> None:
    create_service(store)
    ip = "127.64.0.2"
    pod = create_pod(store, "web-a", ip, ready=False)
    async with running(endpointslices.run(store)):
        await until(lambda: endpoints(store), "an endpoint")
        assert conditions(store, ip) == (False, False, False)
        set_ready(store, pod, ip=ip)
        await until(lambda: conditions(store, ip) == (True, True, False), "ready")
        store.delete("pods", "shop", "web-a")
        await until(lambda: conditions(store, ip) == (False, True, True), "terminating, still serving")
        set_ready(store, pod, ready=False, ip=ip)
        await until(lambda: conditions(store, ip) == (False, False, True), "no longer serving")
        store.delete("pods", "shop", "web-a", grace=0)
        await until(lambda: endpoints(store) == {}, "gone")


async def test_a_service_without_pods_has_an_empty_slice_which_is_filled_later(store: Store) -> None:
    create_service(store)
    async with running(endpointslices.run(store)):
        (empty,) = await until(lambda: slices_of(store, "shop", "web"), "a slice")
        assert (empty["endpoints"], empty["ports"]) == (None, None)
        create_pod(store, "web-a", "127.64.0.2")
        await until(lambda: endpoints(store), "an endpoint")
        store.delete("pods", "shop", "web-a", grace=0)
        await until(lambda: endpoints(store) == {}, "empty again")
        (again,) = slices_of(store, "shop", "web")
        assert again["metadata"]["name"] == empty["metadata"]["name"]


async def test_slices_made_by_hand_are_left_alone(store: Store) -> None:
    service = create_service(store)
    labels = {"kubernetes.io/service-name": service["metadata"]["name"]}
    meta = {"namespace": "shop", "name": "by-hand", "labels": labels}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    mine = store.create("endpointslices", kind | {"metadata": meta, "ports": [], "endpoints": []})
    create_service(store, "bare", selector={})
    async with running(endpointslices.run(store)):
        await until(lambda: len(slices_of(store, "shop", "web")) == 2, "its own slice")
        await settled(store)
    assert store.get("endpointslices", "shop", "by-hand") == mine
    assert slices_of(store, "shop", "bare") == []
