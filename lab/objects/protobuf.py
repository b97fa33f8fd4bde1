"""Objects in Kubernetes' protobuf encoding, which `kubectl create` sends even to a server that would rather have JSON.

Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf, and generated.proto of k8s.io/api for the numbers of the
fields. Known are the messages of kubectl's `create` commands; all else is asked for in JSON.
"""

import base64
from collections.abc import Iterator
from typing import Any

from lab.apimachinery.errors import UnsupportedMediaType
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import Schema, schema_of
from lab.apimachinery.store import Object

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
VARINT, BYTES = 0, 2  # the wire types that these messages have

# Each message's fields in the order of their numbers, from 1; a dot is a number that is not in use.
MESSAGES = {
    "ObjectMeta": "name generateName namespace selfLink uid resourceVersion generation creationTimestamp"
    " deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers",
    "OwnerReference": "kind . name uid apiVersion controller blockOwnerDeletion",
    "Namespace": "metadata spec status",
    "NamespaceSpec": "finalizers",
    "ConfigMap": "metadata data binaryData immutable",
    "Secret": "metadata data type stringData immutable",
    "ServiceAccount": "metadata secrets imagePullSecrets automountServiceAccountToken",
    "Deployment": "metadata spec status",
    "DeploymentSpec": "replicas selector template strategy minReadySeconds revisionHistoryLimit paused ."
    " progressDeadlineSeconds",
    "DeploymentStrategy": "type",
    "LabelSelector": "matchLabels matchExpressions",
    "LabelSelectorRequirement": "key operator values",
    "PodTemplateSpec": "metadata spec",
    "PodSpec": "volumes containers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy"
    " nodeSelector serviceAccountName serviceAccount nodeName",
    "Container": "name image command args workingDir ports env",
    "ContainerPort": "name hostPort containerPort protocol hostIP",
    "EnvVar": "name value",
    "Service": "metadata spec status",
    "ServiceSpec": "ports selector clusterIP type externalIPs . sessionAffinity loadBalancerIP"
    " loadBalancerSourceRanges externalName externalTrafficPolicy",
    "ServicePort": "name protocol port targetPort nodePort appProtocol",
    "Job": "metadata spec status",
    "JobSpec": "parallelism completions activeDeadlineSeconds selector manualSelector template backoffLimit"
    " ttlSecondsAfterFinished completionMode suspend",
    "Role": "metadata rules",
    "ClusterRole": "metadata rules",
    "PolicyRule": "verbs apiGroups resources resourceNames nonResourceURLs",
    "RoleBinding": "metadata subjects roleRef",
    "ClusterRoleBinding": "metadata subjects roleRef",
    "RoleRef": "apiGroup kind name",
    "Subject": "kind apiGroup name namespace",
}
# Numbers that are no pointers in Go: 0 means that they aren't set.
UNSET_BY_ZERO = ("generation", "minReadySeconds", "hostPort", "nodePort")


def parse(body: bytes) -> Object:
    """The object in a request. Raises UnsupportedMediaType for what isn't known, and ValueError for what is broken."""
    if not body.startswith(MAGIC):
        raise ValueError(f"the protobuf encoding begins with {MAGIC!r}")
    envelope = dict(_fields(body[len(MAGIC) :]))  # k8s.io/apimachinery runtime.Unknown
    names = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
    resource = Resource("", names.get(2, ""), names.get(1, ""))
    try:
        schema = schema_of(resource)
    except KeyError:
        raise _unknown(f"{resource.group_version} {resource.kind}") from None
    decoded = _message(_bytes(envelope.get(2, b"")), schema)
    return {"apiVersion": resource.group_version, "kind": resource.kind} | decoded


def _message(data: bytes, schema: Schema) -> Object:
    title = schema.get("title", "")
    if title not in MESSAGES:
        raise _unknown(title)
    names = dict(enumerate(MESSAGES[title].split(), 1))
    decoded: Object = {}
    for number, raw in _fields(data):
        name = names.get(number, ".")
        if name == "status" or (name == "." and not raw):
            continue  # Go sends what isn't set, too
        if name == ".":
            raise _unknown(f"field {number} of {title}")
        field = schema["properties"][name]
        if field.get("type") == "array":
            decoded.setdefault(name, []).append(_value(raw, field["items"]))
        elif field.get("type") == "object" and "properties" not in field:
            entry = dict(_fields(_bytes(raw)))
            value = _value(entry.get(2, b""), field["additionalProperties"])
            decoded.setdefault(name, {})[_text(entry.get(1, b""))] = value
        elif _is_set(name, value := _value(raw, field)):
            decoded[name] = value
    return decoded


def _is_set(name: str, value: Any) -> bool:
    """Whether it is more than the zero that Go sends where nothing was said."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value != 0 or name not in UNSET_BY_ZERO
    return bool(value)


def _value(raw: int | bytes, schema: Schema) -> Any:
    match schema.get("title"):
        case "IntOrString":
            parts = dict(_fields(_bytes(raw)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
        case "Time" if raw:
            raise _unknown("a time")
    match schema.get("type"):
        case "integer":
            return _signed(raw)
        case "boolean":
            return bool(raw)
        case "object":
            data = _bytes(raw)
            return _message(data, schema) if data else {}
    if schema.get("format") == "byte":
        return base64.b64encode(_bytes(raw)).decode()
    return _text(raw)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The numbers and values of a message. Raises ValueError."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if kind != BYTES:
            raise ValueError(f"no field is of wire type {kind}")
        length, position = _varint(data, position)
        if position + length > len(data):
            raise ValueError("the message is cut off")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("a number is cut off")


def _signed(raw: int | bytes) -> int:
    if not isinstance(raw, int):
        raise ValueError("a number was expected")
    return raw - 2**64 if raw >= 2**63 else raw


def _bytes(raw: int | bytes) -> bytes:
    if not isinstance(raw, bytes):
        raise ValueError("bytes were expected")
    return raw


def _text(raw: int | bytes) -> str:
    return _bytes(raw).decode()


def _unknown(what: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        f"the lab reads no {what} in protobuf, which this command sends; write it in a YAML file and kubectl apply it"
    )
