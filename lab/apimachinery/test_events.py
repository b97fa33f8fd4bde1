"""Events: bounded in number and in time, and of one object alone."""

import datetime

import pytest

from lab.apimachinery import events
from lab.apimachinery.store import Object, Store
from lab.testing import create


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def pod(store: Store) -> Object:
    return create(store, "pods", "web", spec={"containers": []})


def test_the_same_event_about_another_pod_of_that_name_is_a_new_one(store: Store, pod: Object) -> None:
    events.record(store, pod, "Normal", "Started", "Started container web", "kubelet")
    store.delete("pods", "shop", "web", grace=0)
    events.record(
        store,
        create(store, "pods", "web", spec={"containers": []}),
        "Normal",
        "Started",
        "Started container web",
        "kubelet",
    )
    assert [e["count"] for e in store.list("events")] == [1, 1]


def test_the_least_recently_seen_events_give_way_to_new_ones(
    store: Store, pod: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LIMIT", 3)
    for message in ("a", "b", "c", "a", "d"):
        events.record(store, pod, "Normal", "Seen", message, "kubelet")
    assert {e["message"] for e in store.list("events")} == {"a", "c", "d"}


def test_an_event_goes_an_hour_after_it_was_last_seen(store: Store, pod: Object) -> None:
    events.record(store, pod, "Normal", "Seen", "a", "kubelet")
    seen = datetime.datetime.now(datetime.UTC)
    events.expire(store, seen + datetime.timedelta(minutes=59))
    assert len(store.list("events")) == 1
    events.expire(store, seen + datetime.timedelta(minutes=61))
    assert store.list("events") == []
    events.record(store, pod, "Normal", "Seen", "a", "kubelet")
    assert [e["count"] for e in store.list("events")] == [1]


def test_nothing_is_recorded_in_a_namespace_that_is_being_deleted(store: Store, pod: Object) -> None:
    create(store, "namespaces", "shop", {"finalizers": ["x"]})
    store.delete("namespaces", "", "shop")
    events.record(store, pod, "Normal", "Killing", "Stopping container web", "kubelet")
    assert store.list("events") == []
