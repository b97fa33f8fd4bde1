"""A container's variables: how they refer to each other, and what is missing."""

import base64

import pytest

from lab.apimachinery.store import Object, Store
from lab.kubelet.environment import ConfigError, expand, variables


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


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "nocm", "key": "k"}}, 'configmap "nocm" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "k"}}, "couldn't find key k in ConfigMap shop/settings"),
        ({"secretKeyRef": {"name": "sss", "key": "k"}}, 'secret "sss" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "k"}}, "couldn't find key k in Secret shop/keys"),
        ({"fieldRef": {"fieldPath": "spec.nope"}}, "unsupported fieldPath: spec.nope"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "the lab has no valueFrom resourceFieldRef"),
    ],
)
def test_what_is_missing_is_named_unless_it_is_optional(source: Object, message: str) -> None:
    store = Store()
    store.create("configmaps", {"metadata": {"namespace": "shop", "name": "settings"}, "data": {"a": "1"}})
    secret = {"password": base64.b64encode(b"hunter2").decode()}
    store.create("secrets", {"metadata": {"namespace": "shop", "name": "keys"}, "data": secret})
    pod: Object = {"metadata": {"namespace": "shop", "name": "p"}, "spec": {}}
    with pytest.raises(ConfigError) as caught:
        variables(store, pod, {"env": [{"name": "X", "valueFrom": source}]})
    assert str(caught.value) == message
    ((kind, ref),) = source.items()
    if "key" in ref:
        optional = {kind: ref | {"optional": True}}
        assert variables(store, pod, {"env": [{"name": "X", "valueFrom": optional}]}) == {}
