"""The control plane as a program, at a Kubernetes API: when it is ready, and what it makes of its ConfigMap."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc

from catalogue import ROOT
from client_xds.types import Type
from testing.ads import Client, on
from testing.client_xds import SERVICE, leading_to
from testing.endpoint_watch import CONFIG_MAPS, FakeApi, kubeconfig, serving, slice_of, until
from testing.processes import Process, process

NAME = "greeter-xds"
ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"


def test_the_variants_have_the_same_control_plane_and_those_without_tls_the_same_servers() -> None:
    def manifest(variant: str, part: str) -> str:
        return (ROOT / "client_xds" / "manifests" / variant / f"{part}.yaml").read_text()

    assert len({manifest(variant, "control-plane") for variant in ("proxyless", "envoy", "mtls")}) == 1
    assert manifest("proxyless", "server") == manifest("envoy", "server")


@dataclass
class Apis:
    """What the API has of either kind."""

    slices: FakeApi
    config_maps: FakeApi
    kubeconfig: str

    def configure(self, *texts: str) -> None:
        data = {f"{number}.yaml": text for number, text in enumerate(texts)}
        self.config_maps.put({"metadata": {"name": NAME}, "data": data})


@pytest.fixture
async def apis(tmp_path: Path) -> AsyncIterator[Apis]:
    config_maps = FakeApi(CONFIG_MAPS)
    async with serving(config_maps) as slices:
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(slices.url)))
        slices.put(slice_of("one", SERVICE, "10.0.0.1"))
        yield Apis(slices, config_maps, str(tmp_path / "kubeconfig"))


class Running:
    def __init__(self, process: Process, address: str) -> None:
        self.process = process
        self.address = address

    async def ready(self) -> bool:
        """What a readiness probe is told."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            request = health_pb2.HealthCheckRequest(service=ADS)
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=20)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def until_ready(self) -> None:
        async with grpc.aio.insecure_channel(self.address) as channel:
            statuses = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=ADS), timeout=20)
            async for answer in statuses:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
        raise AssertionError("it ended")

    async def said(self, text: str) -> None:
        await until(text, lambda: self.process.said(text))

    @contextmanager
    def client(self) -> Iterator["Asking"]:
        with grpc.insecure_channel(self.address) as channel, on(channel) as opened:
            yield Asking(opened)


class Asking:
    """A client beside the loop that the API runs in."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, type_: Type, *names: str) -> None:
        self._client.ask(type_, *names)

    async def servers(self) -> list[str]:
        """The next response is of endpoints."""
        return (await asyncio.to_thread(self._client.take)).servers

    async def clusters(self) -> list[str]:
        """The next response is of routes: the clusters that they lead to."""
        [routes] = (await asyncio.to_thread(self._client.take)).resources.values()
        return [route.route.cluster for host in routes.virtual_hosts for route in host.routes]


@pytest.fixture
async def running(apis: Apis) -> AsyncIterator[Running]:
    """Once a test has told what the API has at first; see `begun`."""
    flags = ("--address=127.0.0.1:0", "--namespace=shop", "--log-level=DEBUG")
    with process("client_xds.control_plane", *flags, env={"KUBECONFIG": apis.kubeconfig}) as started:
        found = await asyncio.to_thread(started.line, r"Listening on (\S+), serving all Services of namespace shop")
        yield Running(started, found[1])
    assert not [line for line in started.lines if "Traceback" in line]


class Held:
    """Answers a list when it is released."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api
        self._released = asyncio.Event()
        api.next = [self]

    def release(self) -> None:
        self._released.set()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await self._released.wait()
        return await self._api._list(request)


@pytest.fixture(params=["slices", "config_maps"])
def held(request: pytest.FixtureRequest, apis: Apis) -> Held:
    """The list of one kind, before the control plane asks for it."""
    return Held(getattr(apis, request.param))


async def test_it_is_ready_and_says_something_when_both_lists_are_in_and_not_before(
    held: Held, apis: Apis, running: Running
) -> None:
    with running.client() as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        await until("one watch", lambda: apis.slices.watching or apis.config_maps.watching)
        assert not await running.ready()
        assert not running.process.said("is given")
        held.release()
        await running.until_ready()
        assert await opened.servers() == ["10.0.0.1:8000"]
    assert running.process.said("is given")


async def test_without_a_config_map_it_is_ready_and_when_there_is_one_it_is_heard(apis: Apis, running: Running) -> None:
    await running.until_ready()
    with running.client() as opened:
        opened.ask(Type.ROUTES, SERVICE)
        assert await opened.clusters() == [SERVICE]
        apis.config_maps.put({"metadata": {"name": "another"}, "data": {"a": "b"}})
        apis.configure(*leading_to("blue"))
        assert await opened.clusters() == ["blue"]
        apis.config_maps.delete(NAME)
        assert await opened.clusters() == [SERVICE]
        apis.config_maps.put({"metadata": {"name": NAME}})  # without data
        apis.configure(*leading_to("green"))
        assert await opened.clusters() == ["green"]


@pytest.fixture
def broken(apis: Apis) -> None:
    """The ConfigMap is so at first."""
    apis.configure("a: [")


async def test_a_config_map_that_is_broken_at_first_keeps_it_from_being_ready_until_it_is_mended(
    broken: None, apis: Apis, running: Running
) -> None:
    await running.said(f"ERROR ConfigMap {NAME}, 0.yaml is no YAML: ")
    assert running.process.said("; nothing is served until it is mended")
    await until("both are watched", lambda: apis.slices.watching and apis.config_maps.watching)
    assert not await running.ready()
    apis.configure(*leading_to("blue"))
    await running.until_ready()


async def test_a_config_map_that_is_broken_later_changes_nothing(apis: Apis, running: Running) -> None:
    await running.until_ready()
    with running.client() as opened:
        apis.configure(*leading_to("blue"))
        opened.ask(Type.ROUTES, SERVICE)
        while (clusters := await opened.clusters()) != ["blue"]:
            assert clusters == [SERVICE]
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert await opened.servers() == ["10.0.0.1:8000"]
        apis.configure(*leading_to("green"), "a: [")
        await running.said("2.yaml is no YAML")
        assert running.process.said("; the resources that it had stay")
        apis.slices.put(slice_of("one", SERVICE, "10.0.0.2"))
        assert await opened.servers() == ["10.0.0.2:8000"]  # the next that it is told
        assert await running.ready()
        apis.configure(*leading_to("white"))
        assert await opened.clusters() == ["white"]


async def test_while_the_api_is_away_it_stays_ready_and_then_hears_what_has_changed(
    apis: Apis, running: Running
) -> None:
    await running.until_ready()
    with running.client() as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert await opened.servers() == ["10.0.0.1:8000"]
        await apis.slices.stop()
        await running.said(f"{SERVICE}: its 1 endpoint(s) may be out of date: the Kubernetes API is away")
        await running.said("ConfigMap greeter-xds can't be watched: ")
        assert await running.ready()
        with running.client() as another:
            another.ask(Type.ENDPOINTS, SERVICE)
            assert await another.servers() == ["10.0.0.1:8000"]
        apis.slices.put(slice_of("one", SERVICE, "10.0.0.2"))
        await apis.slices.start()
        assert await opened.servers() == ["10.0.0.2:8000"]
        await running.said(f"{SERVICE}: its 1 endpoint(s) are up to date again")


async def test_a_service_that_is_deleted_is_no_more(apis: Apis, running: Running) -> None:
    await running.until_ready()
    with running.client() as opened:
        opened.ask(Type.ENDPOINTS, SERVICE)
        assert await opened.servers() == ["10.0.0.1:8000"]
        opened.ask(Type.LISTENER, SERVICE)
        await running.said(f"is given Listener {SERVICE}, version")
        apis.slices.delete("one")
        await running.said(f"Listener {SERVICE} is no more")
        await running.said("is given Listener (none), version")
