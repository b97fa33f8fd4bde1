"""The ingress controller comes with the first Ingress of its class; of others it is said that nobody has them."""

from collections.abc import AsyncIterator

import pytest

from lab import addons
from lab.apimachinery.store import Object, Store
from lab.ingress_nginx import classes
from lab.network import Network
from lab.testing import create, messages, running, settled, until

CONTROLLER = ("deployments", "ingress-nginx", "ingress-nginx-controller")
NGINX = {"ingressClassName": "nginx"}


@pytest.fixture(autouse=True)
async def installed(store: Store, network: Network) -> AsyncIterator[None]:
    async with running(addons.run(store, network)):
        await until(lambda: store.find("ingressclasses", "", "nginx"), "the IngressClass")
        yield


async def test_there_is_an_ingress_class_and_no_controller_until_an_ingress_wants_one(store: Store) -> None:
    create(store, "ingresses", "theirs", spec={"ingressClassName": "theirs"})
    await until(lambda: messages(store, "NoController"), "an event")
    assert store.list("deployments") == []
    create(store, "ingresses", "web", spec=NGINX)
    await until(lambda: store.find(*CONTROLLER), "the controller")
    assert store.find("services", "ingress-nginx", "ingress-nginx-controller")


async def test_what_somebody_has_changed_stays_and_what_is_gone_comes_back_with_the_next_ingress(store: Store) -> None:
    create(store, "ingresses", "one", spec=NGINX)
    await until(lambda: store.find(*CONTROLLER), "the controller")
    store.mutate(*CONTROLLER, lambda obj: obj["spec"].update(replicas=3))
    store.delete("services", "ingress-nginx", "ingress-nginx-controller")
    create(store, "ingresses", "two", spec=NGINX)
    await until(lambda: store.find("services", "ingress-nginx", "ingress-nginx-controller"), "the Service")
    assert store.get(*CONTROLLER)["spec"]["replicas"] == 3


@pytest.mark.parametrize("by", ["annotation", "another class of the same controller"])
async def test_the_class_may_be_named_by_annotation_or_be_another_one_of_the_controller(store: Store, by: str) -> None:
    create(store, "ingressclasses", "public", spec={"controller": addons.CONTROLLER})
    if by == "annotation":
        create(store, "ingresses", "web", {"annotations": {classes.ANNOTATION: "nginx"}}, spec={"rules": []})
    else:
        create(store, "ingresses", "web", spec={"ingressClassName": "public"})
    await until(lambda: store.find(*CONTROLLER), "the controller")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"rules": []}, "this Ingress names no class; the lab runs no controller but k8s.io/ingress-nginx: set spec."),
        ({"ingressClassName": "alb"}, 'IngressClass "alb" isn\'t there; the lab runs no controller but'),
        (
            {"ingressClassName": "theirs"},
            'IngressClass "theirs" is of the controller "example.com/theirs"; the lab runs no controller but',
        ),
    ],
)
async def test_it_is_said_why_nobody_has_an_ingress(store: Store, spec: Object, message: str) -> None:
    create(store, "ingressclasses", "theirs", spec={"controller": "example.com/theirs"})
    create(store, "ingresses", "web", spec=spec)
    (said,) = await until(lambda: messages(store, "NoController"), "an event")
    assert said.startswith(message)
    store.mutate("ingresses", "shop", "web", lambda obj: obj["metadata"].update(labels={"a": "b"}))
    await settled(store)
    assert len(messages(store, "NoController")) == 1
    assert store.list("deployments") == []


async def test_where_its_namespace_is_going_the_controller_comes_when_that_is_gone(store: Store) -> None:
    create(store, "ingresses", "one", spec=NGINX)
    await until(lambda: store.find(*CONTROLLER), "the controller")
    store.delete("namespaces", "", "ingress-nginx")
    store.delete(*CONTROLLER)
    create(store, "ingresses", "two", spec=NGINX)
    await settled(store)
    assert not store.find(*CONTROLLER)
    store.mutate("namespaces", "", "ingress-nginx", lambda obj: obj["spec"].update(finalizers=[]))  # as its controller
    await until(lambda: store.find(*CONTROLLER), "the controller")


async def test_an_ingress_waits_for_its_class(store: Store) -> None:
    create(store, "ingresses", "web", spec={"ingressClassName": "public"})
    await until(lambda: messages(store, "NoController"), "an event")
    create(store, "ingressclasses", "public", spec={"controller": addons.CONTROLLER})
    await until(lambda: store.find(*CONTROLLER), "the controller")
