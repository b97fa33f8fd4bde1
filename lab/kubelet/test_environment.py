"""A container's variables: where their values come from, how they refer to each other, and what is missing."""

import base64
from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.kubelet.environment import ConfigError, expand, variables

CAPACITY = {"cpu": "4", "memory": "8388608Ki"}


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create("configmaps", {"metadata": {"namespace": "shop", "name": "settings"}, "data": {"a": "1", "b": "2"}})
    secret = {"password": base64.b64encode(b"hunter2").decode()}
    store.create("secrets", {"metadata": {"namespace": "shop", "name": "keys"}, "data": secret})
    return store


def pod(container: Object) -> Object:
    return {
        "metadata": {"namespace": "shop", "name": "p", "uid": "u-1", "labels": {"app": "greeter"}},
        "spec": {"containers": [container], "nodeName": "lab", "serviceAccountName": "default"},
        "status": {
            "podIP": "127.64.0.9",
            "podIPs": [{"ip": "127.64.0.9"}],
            "hostIP": "127.64.0.1",
            "hostIPs": [{"ip": "127.64.0.1"}],
        },
    }


def of(store: Store, **container: Any) -> dict[str, str]:
    container = {"name": "app"} | container
    return variables(store, pod(container), container, CAPACITY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NOPE)", "$(NOPE)"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_variable_may_refer_to_those_before_it(store: Store) -> None:
    env = [
        {"name": "A", "value": "$(NOPE) $$(X) $(B) $(A)"},
        {"name": "B", "value": "b"},
        {"name": "C", "value": "c$(B)$(A)"},
        {"name": "EMPTY"},
    ]
    # what a real Kubernetes 1.34 made of the same
    assert of(store, env=env) == {
        "A": "$(NOPE) $(X) $(B) $(A)",
        "B": "b",
        "C": "cb$(NOPE) $(X) $(B) $(A)",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "greeter"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "lab"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.64.0.9"),
        ("status.podIPs", "127.64.0.9"),
        ("status.hostIP", "127.64.0.1"),
    ],
)
def test_the_downward_api_gives_fields_of_the_pod(store: Store, path: str, expected: str) -> None:
    assert of(store, env=[{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]) == {"X": expected}


def test_an_unknown_field_is_a_config_error(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"unsupported fieldPath: spec\.nope"):
        of(store, env=[{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.nope"}}}])


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "100"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "50"),
        ({"resource": "requests.memory"}, "0"),
        ({"resource": "limits.cpu", "containerName": "unlimited", "divisor": "0"}, "4"),
    ],
)
def test_the_downward_api_gives_resources_rounded_up(store: Store, ref: Object, expected: str) -> None:
    resources = {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "0.05"}}
    container: Object = {"name": "app", "resources": resources}
    container["env"] = [{"name": "X", "valueFrom": {"resourceFieldRef": ref}}]
    owner = pod(container)
    owner["spec"]["containers"].append({"name": "unlimited"})
    assert variables(store, owner, container, CAPACITY) == {"X": expected}


def test_keys_come_from_configmaps_and_secrets(store: Store) -> None:
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        {"name": "BOTH", "value": "$(A)$(P)"},
    ]
    assert of(store, env=env) == {"A": "1", "P": "hunter2", "BOTH": "1hunter2"}


def test_all_keys_can_be_taken_and_overridden(store: Store) -> None:
    sources = [{"prefix": "S_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
    env = [{"name": "S_b", "value": "own$(S_a)"}]
    assert of(store, envFrom=sources, env=env) == {"S_a": "1", "S_b": "own1", "password": "hunter2"}


MISSING = [
    ({"configMapKeyRef": {"name": "nocm", "key": "k"}}, 'configmap "nocm" not found'),
    ({"configMapKeyRef": {"name": "settings", "key": "k"}}, "couldn't find key k in ConfigMap shop/settings"),
    ({"secretKeyRef": {"name": "sss", "key": "k"}}, 'secret "sss" not found'),
    ({"secretKeyRef": {"name": "keys", "key": "k"}}, "couldn't find key k in Secret shop/keys"),
]


@pytest.mark.parametrize(("source", "message"), MISSING)
def test_what_is_missing_is_named_in_the_kubelets_words(store: Store, source: Object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(store, env=[{"name": "X", "valueFrom": source}])
    assert str(caught.value) == message


@pytest.mark.parametrize(("source", "message"), MISSING)
def test_what_is_optional_may_be_missing(store: Store, source: Object, message: str) -> None:
    ((kind, ref),) = source.items()
    assert of(store, env=[{"name": "X", "valueFrom": {kind: ref | {"optional": True}}}]) == {}


def test_a_missing_envfrom_is_an_error_unless_optional(store: Store) -> None:
    with pytest.raises(ConfigError, match='secret "sss" not found'):
        of(store, envFrom=[{"secretRef": {"name": "sss"}}])
    assert of(store, envFrom=[{"secretRef": {"name": "sss", "optional": True}}]) == {}
