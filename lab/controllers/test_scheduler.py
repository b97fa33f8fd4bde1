"""The scheduler: which pods it leaves alone, which wait, and why."""

from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.controllers import scheduler
from lab.testing import create, messages, running, settled, until


def create_pod(store: Store, name: str, **spec: Any) -> None:
    create(store, "pods", name, spec={"containers": []} | spec)


def node(*, ready: bool = True, **spec: Any) -> Object:
    conditions = [{"type": "Ready", "status": str(ready)}]
    meta = {"name": "lab"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": {"conditions": conditions}}


def node_of(store: Store, name: str) -> str | None:
    found: str | None = store.get("pods", "shop", name)["spec"].get("nodeName")
    return found


@pytest.mark.parametrize(
    ("before", "selector", "message"),
    [
        (None, {}, "no nodes available to schedule pods"),
        (node(ready=False), {}, "0/1 nodes are available: 1 node(s) had untolerated taint(s)."),
        (node(unschedulable=True), {}, "0/1 nodes are available: 1 node(s) were unschedulable."),
        (
            node(),
            {"disk": "ssd"},
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        ),
    ],
)
async def test_a_pod_waits_for_a_node_that_takes_it_and_says_why(
    store: Store, before: Object | None, selector: dict[str, str], message: str
) -> None:
    if before:
        store.create("nodes", before)
    async with running(scheduler.run(store)):
        create_pod(store, "web", nodeSelector=selector)
        await until(lambda: messages(store, "FailedScheduling"), "an event")
        assert messages(store, "FailedScheduling") == [message]
        (condition,) = store.get("pods", "shop", "web")["status"]["conditions"]
        assert (condition["type"], condition["reason"], condition["message"]) == (
            "PodScheduled",
            "Unschedulable",
            message,
        )
        assert node_of(store, "web") is None
        if before:
            store.delete("nodes", "", "lab")
        taking = node()
        taking["metadata"]["labels"] = selector
        store.create("nodes", taking)
        await until(lambda: node_of(store, "web") == "lab", "bound")


async def test_pods_of_another_scheduler_or_with_gates_are_left_alone(store: Store) -> None:
    store.create("nodes", node())
    async with running(scheduler.run(store)):
        create_pod(store, "other", schedulerName="mine")
        create_pod(store, "gated", schedulingGates=[{"name": "example.com/wait"}])
        create_pod(store, "web")
        await until(lambda: node_of(store, "web") == "lab", "bound")
        await settled(store)
    assert (node_of(store, "other"), node_of(store, "gated")) == (None, None)
