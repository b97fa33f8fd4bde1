"""The lab's ingress controller as a program on any cluster, with an IngressClass of its own; and classes that are none.

It runs on this machine, which reaches the pods of the lab and of the cluster alike.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from lab.conformance.api import Api, Object, Objects
from lab.conformance.differences import Cluster
from lab.conformance.manifests import GREETER, GRPC_READY, container, deployment, ingress, service
from testing.ingress_nginx import controller

GRPC = {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"}


@pytest.fixture
async def address(api: Api, root: Api, cluster_config: str) -> AsyncIterator[str]:
    """Where a controller listens that serves the IngressClass of the namespace's name."""
    own = {"metadata": {"name": api.namespace}, "spec": {"controller": f"example.com/{api.namespace}"}}
    await root.create("ingressclasses", own)
    try:
        with controller(cluster_config, f"example.com/{api.namespace}") as (_, address):
            yield address
    finally:
        await root.delete("ingressclasses", api.namespace)


async def test_the_controller_spreads_calls_follows_endpoints_and_says_what_is_wrong(api: Api, address: str) -> None:
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    server = container(GREETER, readinessProbe=GRPC_READY, env=env)
    await api.create("deployments", deployment("web", server, replicas=2))
    made = ingress("web", api.namespace)
    made["metadata"]["annotations"] = GRPC | {"nginx.ingress.kubernetes.io/limit-rps": "5"}
    await api.create("ingresses", made)
    await api.until("events", reasons("ServiceNotFound", "NotHonoured"), "Events of what is wrong")
    await api.create("services", service("web"))
    await api.until_one("ingresses", "web", lambda obj: addresses(obj) == [address], "has its address")
    options = [("grpc.default_authority", "web.example.com")]
    async with grpc.aio.insecure_channel(f"{address}:8080", options) as channel:
        await shares(channel, 30, 30)
        await api.patch("deployments", "web", {"spec": {"replicas": 3}})
        await shares(channel, 20, 20, 20)


async def shares(channel: grpc.aio.Channel, *expected: int, within: float = 60) -> None:
    """Wait until of so many calls as these are in all, the backends get these shares."""
    stub = GreeterStub(channel)
    seen: Counter[str] = Counter()
    try:
        async with asyncio.timeout(within):
            while sorted(seen.values()) != [*expected]:
                seen.clear()
                for _ in range(sum(expected)):
                    try:
                        seen[(await stub.SayHello(HelloRequest(name="you"), timeout=5)).backend_ip] += 1
                    except grpc.aio.AioRpcError as error:
                        seen[error.code().name] += 1
                        await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"not within {within} s: {expected} calls; they were {seen}")


def reasons(*wanted: str) -> Callable[[Objects], bool]:
    return lambda events: {event["reason"] for event in events} >= set(wanted)


def addresses(obj: Object) -> list[str]:
    return [at["ip"] for at in obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])]


@pytest.mark.parametrize("ingress_class", ["nobodys", ""])
async def test_an_ingress_whose_class_nobody_serves_gets_no_address_and_the_lab_says_why(
    api: Api, cluster: Cluster, ingress_class: str
) -> None:
    made = ingress("web", ingress_class)
    if not ingress_class:
        del made["spec"]["ingressClassName"]
    await api.create("ingresses", made)
    if cluster.is_lab:
        await api.until("events", reasons("NoController"), "an Event")
    assert addresses(await api.get("ingresses", "web")) == []
