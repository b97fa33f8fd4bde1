"""A namespace of its own for each test, on the cluster that KUBECONFIG names, or else on a lab."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from lightkube import ApiError
from lightkube.config.kubeconfig import KubeConfig, SingleConfig

from lab.conformance.api import Api
from lab.conformance.differences import DIFFERENCES, Cluster
from lab.conformance.kubectl import Kubectl
from lab.conformance.states import has_default, names
from testing.processes import running_lab

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def cluster_config() -> Iterator[str]:
    """KUBECONFIG, or that of a lab for all tests of this process."""
    if given := os.environ.get("KUBECONFIG"):
        yield given
        return
    with running_lab() as lab:
        yield lab


@pytest.fixture
def config(cluster_config: str) -> SingleConfig:
    found = KubeConfig.from_file(cluster_config).get()
    assert found, f"{cluster_config} has no current context"
    return found


@pytest.fixture
async def root(config: SingleConfig) -> AsyncIterator[Api]:
    """The API, for what belongs to no namespace."""
    api = Api(config, "default")
    async with api.http:
        yield api


@pytest.fixture
async def cluster(root: Api, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    nodes = (await root.list("nodes"))["items"]
    found = Cluster(is_lab="lab" in names(nodes))
    yield found
    request.node.user_properties += [("difference", name) for name in found.differences]


@pytest.fixture
async def api(config: SingleConfig, root: Api) -> AsyncIterator[Api]:
    """A namespace of its own, under Pod Security `restricted`, and gone when the test ends."""
    made = await root.create("namespaces", {"metadata": {"generateName": "behaviour-", "labels": RESTRICTED}})
    own = Api(config, made["metadata"]["name"])
    async with own.http:
        try:
            await own.until("serviceaccounts", has_default, "the namespace has its service account")
            yield own
        finally:
            await remove(own)


@pytest.fixture
def kubectl(api: Api, cluster_config: str) -> Kubectl:
    """Runs the real one in the test's namespace."""
    return Kubectl(cluster_config, api.namespace)


async def remove(api: Api) -> None:
    """Delete the namespace, and the finalizers that a test that failed left in it."""
    for plural in ("configmaps", "pods"):
        for obj in (await api.list(plural))["items"]:
            if "finalizers" in obj["metadata"]:
                await api.patch(plural, obj["metadata"]["name"], {"metadata": {"finalizers": None}})
    try:
        await api.delete("namespaces", api.namespace)
    except ApiError as error:  # a test may have deleted it itself
        if error.status.code != 404:
            raise


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the differences that tests came across."""
    passed = terminalreporter.stats.get("passed", [])
    found = sorted(
        {(value, report.nodeid) for report in passed for key, value in report.user_properties if key == "difference"}
    )
    if found:
        terminalreporter.section("where the lab differs on purpose")
    for name, test in found:
        terminalreporter.line(f"{name}: {DIFFERENCES[name]} ({test})")
