"""Snapshots of what the cluster that KUBECONFIG names tells: of slices that the test writes, and of a Deployment."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from endpoint_watch import Snapshot, connect, watch
from endpoint_watch.endpoints import SERVICE_NAME, Object
from testing.cluster import TIMEOUT, OwnNamespace, manifests

SOON = 60.0  # seconds for a snapshot to come


def endpoint(address: str, *, ready: bool = True, terminating: bool = False, zone: str | None = None) -> Object:
    conditions = {"ready": ready and not terminating, "serving": ready, "terminating": terminating}
    return {"addresses": [address], "conditions": conditions} | ({"zone": zone} if zone else {})


def service(name: str) -> Object:
    """Without a selector: its slices are the test's to write."""
    ports = [{"name": "grpc", "port": 8000}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}}


def slice_of(name: str, *endpoints: Object, owner: str = "web", ports: dict[str, int] | None = None) -> Object:
    named = [{"name": port, "port": number} for port, number in (ports or {"grpc": 8000}).items()]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {SERVICE_NAME: owner}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": named,
    }


async def kubectl(namespace: OwnNamespace, *args: str, obj: Object | None = None) -> None:
    await asyncio.to_thread(namespace.kubectl, *args, stdin=json.dumps(obj) if obj else None)


def apply(namespace: OwnNamespace, *objects: Object) -> None:
    namespace.apply_objects(objects)


class Following:
    def __init__(self, snapshots: AsyncGenerator[Snapshot, None]) -> None:
        self._snapshots = snapshots

    async def next(self, service: str, *endpoints: str) -> None:
        """The next snapshot, which must be this one."""
        async with asyncio.timeout(SOON):
            snapshot = await anext(self._snapshots)
        assert not snapshot.stale
        assert (snapshot.service, addresses(snapshot)) == (service, list(endpoints))

    async def until(self, what: str, check: Callable[[Snapshot], bool]) -> Snapshot:
        """Those to come, up to one that it is true of."""
        try:
            async with asyncio.timeout(TIMEOUT):
                async for snapshot in self._snapshots:
                    if check(snapshot):
                        return snapshot
        except TimeoutError:
            pytest.fail(f"{what}: not within {TIMEOUT:g} s")
        raise AssertionError


def addresses(snapshot: Snapshot) -> list[str]:
    return [f"{each.address}:{each.port}" for each in snapshot.endpoints]


@asynccontextmanager
async def following(namespace: OwnNamespace, *services: str) -> AsyncGenerator[Following, None]:
    async with (
        connect() as api,
        aclosing(watch(api, services, namespace=namespace.name, port="grpc")) as snapshots,
    ):
        yield Following(snapshots)


async def test_each_change_of_its_slices_is_told(namespace: OwnNamespace) -> None:
    apply(namespace, service("web"), slice_of("one", endpoint("10.0.0.1")))
    async with following(namespace, "web") as seen:
        await seen.next("web", "10.0.0.1:8000")
        await kubectl(namespace, "create", "-f", "-", obj=slice_of("two", endpoint("10.0.0.2"), ports={"grpc": 8002}))
        await seen.next("web", "10.0.0.1:8000", "10.0.0.2:8002")
        both = json.dumps({"endpoints": [endpoint("10.0.0.1"), endpoint("10.0.0.3", zone="eu-1a")]})
        await kubectl(namespace, "patch", "endpointslice", "one", "--type=merge", f"--patch={both}")
        await seen.next("web", "10.0.0.1:8000", "10.0.0.2:8002", "10.0.0.3:8000")
        ending = json.dumps({"endpoints": [endpoint("10.0.0.1", terminating=True), endpoint("10.0.0.3", ready=False)]})
        await kubectl(namespace, "patch", "endpointslice", "one", "--type=merge", f"--patch={ending}")
        await seen.next("web", "10.0.0.2:8002")
        await kubectl(namespace, "delete", "endpointslice", "two")
        await seen.next("web", "10.0.0.1:8000")  # it ends, and none else is left
        await kubectl(namespace, "delete", "endpointslice", "one")
        await seen.next("web")


async def test_a_service_without_slices_is_empty_and_one_that_is_not_watched_is_not_told(
    namespace: OwnNamespace,
) -> None:
    apply(namespace, service("web"), service("other"), slice_of("other", endpoint("10.0.0.9"), owner="other"))
    async with following(namespace, "absent", "web") as seen:
        await seen.next("absent")
        await seen.next("web")
        await kubectl(namespace, "delete", "endpointslice", "other")
        await kubectl(namespace, "create", "-f", "-", obj=slice_of("one", endpoint("10.0.0.1")))
        await seen.next("web", "10.0.0.1:8000")
        given = json.dumps({"metadata": {"labels": {SERVICE_NAME: "other"}}})
        await kubectl(namespace, "patch", "endpointslice", "one", "--type=merge", f"--patch={given}")
        await seen.next("web")


async def test_of_a_deployment_that_shrinks_those_that_end_leave(
    namespace: OwnNamespace,
) -> None:
    apply(namespace, *manifests("clusterip", "server.yaml"))
    async with following(namespace, "greeter-server") as seen:
        three = await seen.until("three ready ones", lambda snapshot: len(snapshot.endpoints) == 3)
        assert {each.port for each in three.endpoints} == {8000}
        await asyncio.to_thread(namespace.scale, 1)
        one = await seen.until("one ready one", lambda snapshot: len(snapshot.endpoints) == 1)
        assert set(one.endpoints) < set(three.endpoints)
        await asyncio.to_thread(namespace.scale, 0)
        await seen.until("none", lambda snapshot: not snapshot.endpoints)


async def test_of_all_services_those_that_come_and_go_are_told(namespace: OwnNamespace) -> None:
    apply(namespace, service("web"), slice_of("one", endpoint("10.0.0.1")))
    async with following(namespace) as seen:
        await seen.next("web", "10.0.0.1:8000")
        apply(namespace, service("other"), slice_of("two", endpoint("10.0.0.2"), owner="other"))
        await seen.next("other", "10.0.0.2:8000")
        await kubectl(namespace, "delete", "service", "web")
        await kubectl(namespace, "delete", "endpointslice", "one", "--ignore-not-found")
        await seen.next("web")
