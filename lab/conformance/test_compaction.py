"""Compaction: what a client can no longer go on from, and that listing again is the remedy."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from lightkube.config.kubeconfig import KubeConfig, SingleConfig

from lab.conformance.api import Api
from lab.conformance.differences import Cluster
from lab.conformance.manifests import configmap


@pytest.fixture
def config(config: SingleConfig) -> Iterator[SingleConfig]:
    """Where nobody else is, for a compaction ends what all others would go on from: for each test a lab of its own."""
    if config.context_name != "lab":
        if "PYTEST_XDIST_WORKER" in os.environ:
            pytest.skip("a compaction disturbs the tests beside it: run tox -e k8s-alone")
        yield config
        return
    # Its end is the end of its standard input, so that no lab outlives a test run that is killed.
    command = [sys.executable, "-m", "lab", "run", "--", "sh", "-c", 'echo "$KUBECONFIG"; exec cat']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdin
        assert lab.stdout
        with lab.stdin:
            own = KubeConfig.from_file(lab.stdout.readline().strip()).get()
            assert own
            yield own


async def compact(cluster: Cluster, api: Api) -> None:
    """Make the API server forget how it came to be as it is."""
    if cluster.differs("compaction"):
        await api.request("POST", "/lab/compact")
    elif command := os.environ.get("COMPACT_COMMAND"):
        subprocess.run(command, shell=True, check=True)  # noqa: S602, ASYNC221  the user's own, and short
    else:
        pytest.skip("COMPACT_COMMAND is not set: nothing to compact this cluster's etcd with")


async def test_a_watch_from_a_version_that_was_compacted_away_is_expired(api: Api, cluster: Cluster) -> None:
    """Of Events: what the API server doesn't hold in its watch cache, it can't forget before etcd does."""
    since = await api.version()
    for name in ("one", "two"):  # etcd keeps the last version: that a watch goes on from is one more
        await api.create("configmaps", configmap(name))
    async with api.watch("events", resourceVersion=since, timeoutSeconds="1") as events:
        assert [event["type"] async for event in events] == []
    await compact(cluster, api)
    async with api.watch("events", resourceVersion=since) as events, asyncio.timeout(20):
        event = await anext(events)
    assert event["type"] == "ERROR"
    status = event["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    async with api.watch("events", resourceVersion=await api.version(), timeoutSeconds="1") as events:
        assert [event["type"] async for event in events] == []  # the remedy: list again
