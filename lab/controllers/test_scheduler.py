"""The scheduler: pods go to the node when it is ready."""

from typing import Any

from lab.apimachinery.store import Object, Store
from lab.controllers import scheduler
from lab.testing import messages, running, settled, until


def create_pod(store: Store, name: str, **spec: Any) -> None:
    meta = {"namespace": "shop", "name": name}
    store.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def create_node(store: Store, *, ready: bool) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lab"}, "spec": {}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    store.create("nodes", node | {"status": {"conditions": conditions}})


def node_of(store: Store, name: str) -> str | None:
    found: str | None = store.get("pods", "shop", name)["spec"].get("nodeName")
    return found


def scheduled(store: Store, name: str) -> Object:
    conditions = store.get("pods", "shop", name).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "PodScheduled"), {})


async def test_a_pod_is_bound_to_the_node(store: Store) -> None:
    create_node(store, ready=True)
    async with running(scheduler.run(store)):
        create_pod(store, "web")
        await until(lambda: node_of(store, "web") == "lab", "bound")
    assert scheduled(store, "web")["status"] == "True"
    assert messages(store, "Scheduled") == ["Successfully assigned shop/web to lab"]


async def test_a_pod_waits_for_the_node_to_be_ready_and_says_so(store: Store) -> None:
    create_node(store, ready=False)
    async with running(scheduler.run(store)):
        create_pod(store, "web")
        await until(lambda: messages(store, "FailedScheduling"), "an event")
        assert node_of(store, "web") is None
        assert scheduled(store, "web")["reason"] == "Unschedulable"
        ready = [{"type": "Ready", "status": "True"}]
        store.mutate("nodes", "", "lab", lambda n: n["status"].update(conditions=ready), subresource="status")
        await until(lambda: node_of(store, "web") == "lab", "bound")
        assert scheduled(store, "web")["status"] == "True"


async def test_without_a_node_a_pod_waits_for_one(store: Store) -> None:
    async with running(scheduler.run(store)):
        create_pod(store, "web")
        await until(lambda: messages(store, "FailedScheduling"), "an event")
        assert messages(store, "FailedScheduling") == ["no nodes available to schedule pods"]
        create_node(store, ready=True)
        await until(lambda: node_of(store, "web") == "lab", "bound")


async def test_a_cordoned_node_takes_no_pods(store: Store) -> None:
    create_node(store, ready=True)
    store.mutate("nodes", "", "lab", lambda node: node["spec"].update(unschedulable=True))
    async with running(scheduler.run(store)):
        create_pod(store, "web")
        await until(lambda: messages(store, "FailedScheduling"), "an event")
        assert messages(store, "FailedScheduling") == ["0/1 nodes are available: 1 node(s) were unschedulable."]
    assert node_of(store, "web") is None


async def test_pods_of_another_scheduler_or_with_gates_are_left_alone(store: Store) -> None:
    create_node(store, ready=True)
    async with running(scheduler.run(store)):
        create_pod(store, "other", schedulerName="mine")
        create_pod(store, "gated", schedulingGates=[{"name": "example.com/wait"}])
        create_pod(store, "web")
        await until(lambda: node_of(store, "web") == "lab", "bound")
        await settled(store)
    assert (node_of(store, "other"), node_of(store, "gated")) == (None, None)


async def test_a_pod_that_selects_another_node_stays_pending(store: Store) -> None:
    create_node(store, ready=True)
    async with running(scheduler.run(store)):
        create_pod(store, "web", nodeSelector={"disk": "ssd"})
        await until(lambda: scheduled(store, "web"), "a condition")
    assert node_of(store, "web") is None
    said = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    assert scheduled(store, "web")["message"] == said
