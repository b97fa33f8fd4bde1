"""/scale: how many replicas there are to be (the scale subresources of k8s.io/kubernetes/pkg/registry/apps)."""

import copy
from typing import Any

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object, Store
from lab.apiserver.printers import label_selector
from lab.objects.decoding import Decoder
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


def update_scale(store: Store, resource: Resource, obj: Object, value: Any) -> Object:
    """Write the replicas of a Scale into its object."""
    wanted = Decoder(SCALE).decode(value)
    meta, replicas = wanted.get("metadata", {}), wanted.get("spec", {}).get("replicas", 0)
    name = obj["metadata"]["name"]
    if meta.get("name", name) != name:
        raise BadRequest(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if wrong := fields.count("spec.replicas", replicas):
        raise fields.as_error(SCALE, name, wrong)
    new = copy.deepcopy(obj)
    new["spec"]["replicas"] = replicas
    new["metadata"]["resourceVersion"] = meta.get("resourceVersion", "")
    return scale_of(store.update(resource.plural, new))
