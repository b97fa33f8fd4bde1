"""/scale, and the eviction of pods.

Stands for the scale subresources of k8s.io/kubernetes/pkg/registry/apps and for core/pod/storage/eviction.go.
"""

import copy
from typing import Any

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import schema_of
from lab.apimachinery.store import Object, Store
from lab.apiserver.printers import label_selector
from lab.objects.decoding import Decoder
from lab.objects.options import WriteOptions
from lab.objects.patches import patched
from lab.objects.validation import fields

SCALE = Resource("scales", "Scale", "autoscaling/v1")


def scale_of(obj: Object) -> Object:
    """How many replicas are wanted, and how many there are."""
    taken = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.group_version,
        "metadata": {field: obj["metadata"][field] for field in taken},
        "spec": {"replicas": replicas} if (replicas := obj["spec"].get("replicas", 0)) else {},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": label_selector(obj["spec"]["selector"]),
        },
    }


def update_scale(store: Store, resource: Resource, obj: Object, value: Any, options: WriteOptions) -> Object:
    """Write the replicas of a Scale into its object."""
    wanted = Decoder(SCALE).decode(value)
    name = obj["metadata"]["name"]
    if wanted.get("metadata", {}).get("name", name) != name:
        raise BadRequest(
            f"the name of the object ({wanted['metadata']['name']}) does not match the name on the URL ({name})"
        )
    replicas = wanted.get("spec", {}).get("replicas", 0)
    if replicas < 0:
        wrong = fields.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise fields.as_error(SCALE, name, [wrong])
    new = copy.deepcopy(obj)
    new["spec"]["replicas"] = replicas
    if version := wanted.get("metadata", {}).get("resourceVersion"):
        new["metadata"]["resourceVersion"] = version
    return scale_of((store.fork() if options.dry_run else store).update(resource.plural, new))


def patch_scale(
    store: Store, resource: Resource, obj: Object, content_type: str, patch: Any, options: WriteOptions
) -> Object:
    scale = patched(content_type, scale_of(obj), patch, schema_of(SCALE))
    return update_scale(store, resource, obj, scale, options)


def eviction_options(value: Any) -> Any:
    """The DeleteOptions in an Eviction. A disruption budget is not asked."""
    if not isinstance(value, dict):
        raise BadRequest("the body of the request is no Eviction")
    return value.get("deleteOptions") or {}
