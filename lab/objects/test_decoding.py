"""Reading objects: what has the wrong type, unknown fields by their paths, and protobuf as kubectl sends it."""

from typing import Any

import pytest

from lab.apimachinery.errors import BadRequest, UnsupportedMediaType
from lab.apimachinery.resources import RESOURCES
from lab.apimachinery.schemas import Schema, schema_of
from lab.objects import protobuf
from lab.objects.decoding import Decoder, parse

CONTAINERS = "spec.template.spec.containers"


def deployment(**container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"spec": {"replicas": "2"}}, 'spec.replicas: "2" is not a whole number of 32 bits'),
        ({"spec": {"replicas": 1.5}}, "spec.replicas: 1.5 is not a whole number"),
        ({"spec": {"replicas": 2**31}}, "spec.replicas: 2147483648 is not a whole number of 32 bits"),
        ({"spec": {"replicas": True}}, "spec.replicas: true is not a whole number"),
        ({"spec": []}, "spec: [] is not an object"),
        ({"metadata": {"labels": {"a": 5}}}, "metadata.labels.a: 5 is not a string"),
        (deployment(ports={}), f"{CONTAINERS}[0].ports: {{}} is not a list"),
        (
            deployment(resources={"limits": {"cpu": "1x"}}),
            f'{CONTAINERS}[0].resources.limits.cpu: "1x" is not a quantity',
        ),
        (deployment(resources={"limits": {"cpu": "1e999999999"}}), "is not a quantity, such as 100m, 0.5 or 64Mi"),
        (deployment(livenessProbe={"httpGet": {"port": []}}), "httpGet.port: [] is not a whole number or a string"),
        ({"metadata": {"creationTimestamp": "yesterday"}}, 'metadata.creationTimestamp: "yesterday" is not a time'),
        ({"metadata": {"creationTimestamp": "2026-99-99T00:00:00Z"}}, "is not a time, such as 2026-01-02T15:04:05Z"),
        ({"kind": "Secret"}, "this address takes apps/v1 Deployment, not apps/v1 Secret"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_path_and_the_type_that_it_must_have(value: Any, said: str) -> None:
    with pytest.raises(BadRequest) as error:
        Decoder(RESOURCES["deployments"]).decode(value)
    assert error.value.message.startswith('Deployment in version "v1" cannot be handled as a Deployment: ')
    assert said in error.value.message


def test_unknown_fields_are_dropped_and_named_by_their_paths() -> None:
    decoder = Decoder(RESOURCES["deployments"])
    value = {"spec": {"replica": 3} | deployment(imag="x", ports=[{"containerPort": 1, "x": 1}])["spec"], "y": {}}
    assert decoder.decode(value)["spec"] == deployment(ports=[{"containerPort": 1}])["spec"]
    assert decoder.unknown == ["spec.replica", f"{CONTAINERS}[0].imag", f"{CONTAINERS}[0].ports[0].x", "y"]
    said = decoder.strict_error().message
    assert said.endswith("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in decoder.unknown))


def test_null_is_the_same_as_absent() -> None:
    decoder = Decoder(RESOURCES["deployments"])
    decoded = decoder.decode({"metadata": {"creationTimestamp": None, "labels": {"a": None}}, "spec": None})
    assert decoded["metadata"] == {"labels": {"a": ""}}
    assert "spec" not in decoded


def test_numbers_and_strings_where_both_may_be() -> None:
    decoded = Decoder(RESOURCES["deployments"]).decode(
        deployment(resources={"limits": {"cpu": 2, "memory": "1Gi"}}, livenessProbe={"httpGet": {"port": 80.0}})
    )
    container = decoded["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert container["livenessProbe"]["httpGet"]["port"] == 80


def test_secrets_are_base64() -> None:
    with pytest.raises(BadRequest, match=r'data.a: "aa\$a" is not base64'):
        Decoder(RESOURCES["secrets"]).decode({"data": {"a": "aa$a"}})


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert parse(rb'{"a": "\ud83d"}', "application/json") == {"a": "?"}
    assert parse(rb'{"a": "\ud83d\ude00"}', "application/json") == {"a": "😀"}


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protobuf message, up to 127 bytes long."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    types = field(1, version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, types) + field(2, raw) + field(3, b"") + field(4, b"")


@pytest.mark.parametrize(
    "body",
    [
        envelope("v1", "Pod", field(2, b"")),
        envelope("nope/v1", "Nope", b""),
        envelope("v1", "ConfigMap", field(9, b"x")),
        envelope("apps/v1", "Deployment", field(2, field(3, field(2, field(2, field(10, b"probe")))))),
    ],
)
def test_protobuf_that_the_lab_does_not_know_is_asked_for_in_a_file(body: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="write it in a YAML file and kubectl apply it"):
        parse(body, protobuf.CONTENT_TYPE)


def test_every_message_of_the_table_is_of_the_schema() -> None:
    found: dict[str, Schema] = {}

    def collect(schema: Schema) -> None:
        if schema.get("title") in protobuf.MESSAGES and schema["title"] not in found:
            found[schema["title"]] = schema
            for child in schema["properties"].values():
                for part in (child, child.get("items", {}), child.get("additionalProperties", {})):
                    collect(part)

    for resource in RESOURCES.values():
        collect(schema_of(resource))
    assert found.keys() == protobuf.MESSAGES.keys()
    for title, names in protobuf.MESSAGES.items():
        assert set(names.split()) - {"."} <= found[title]["properties"].keys(), title


def test_what_null_in_a_list_becomes_is_not_shared() -> None:
    """Or the defaults of one request's object would show up in another's."""
    containers = Decoder(RESOURCES["pods"]).decode({"spec": {"containers": [None, None]}})["spec"]["containers"]
    containers[0]["name"] = "first"
    assert containers[1] == {}
