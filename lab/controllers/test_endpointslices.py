"""EndpointSlices: when they fill, and which are whose; the test plays the kubelet."""

from typing import Any

from lab.apimachinery.endpointslices import slices_of
from lab.apimachinery.store import Object, Store
from lab.controllers import endpointslices
from lab.testing import create, create_service, create_slice, running, set_ready, settled, until


def create_pod(store: Store, name: str, ip: str, *, ready: bool = True, **spec: Any) -> Object:
    container = {"name": "c", "ports": [{"name": "http2", "containerPort": 9000, "protocol": "TCP"}]}
    own = {"nodeName": "lab", "containers": [container]} | spec
    pod = create(store, "pods", name, {"labels": {"app": "web"}}, spec=own)
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


async def test_a_pod_that_ends_and_fails_its_probe_serves_no_more(store: Store) -> None:
    create_service(store)
    pod = create_pod(store, "web-a", "127.64.0.2")
    async with running(endpointslices.run(store)):
        await until(lambda: endpoints(store), "an endpoint")
        store.delete("pods", "shop", "web-a")
        await until(lambda: conditions(store, "127.64.0.2") == (False, True, True), "terminating, still serving")
        set_ready(store, pod, ready=False, ip="127.64.0.2")
        await until(lambda: conditions(store, "127.64.0.2") == (False, False, True), "no longer serving")


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
    create_service(store)
    mine = create_slice(store, name="by-hand")
    create_service(store, "bare", selector={})
    async with running(endpointslices.run(store)):
        await until(lambda: len(slices_of(store, "shop", "web")) == 2, "its own slice")
        await settled(store)
    assert store.get("endpointslices", "shop", "by-hand") == mine
    assert slices_of(store, "shop", "bare") == []
