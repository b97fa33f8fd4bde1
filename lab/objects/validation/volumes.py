"""Volumes and where they are mounted (k8s.io/kubernetes/pkg/apis/core/validation, validateVolumeSource and below)."""

from collections.abc import Iterable, Iterator
from typing import Any

from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.fields import Errors

NAMED_SOURCES = {"configMap": "name", "secret": "secretName"}
FILE_SOURCES = ("configMap", "secret", "downwardAPI")


def validate_volumes(volumes: Iterable[Object], path: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for i, volume in enumerate(volumes):
        at, name = f"{path}[{i}]", volume["name"]
        if not name:
            errors.append(fields.required(f"{at}.name"))
        elif wrong := fields.dns_label(name):
            errors.append(fields.invalid(f"{at}.name", name, wrong))
        elif name in seen:
            errors.append(fields.duplicate(f"{at}.name", name))
        seen.add(name)
        sources = sorted(volume.keys() - {"name"}, key=lambda source: source != "emptyDir")
        errors += [fields.forbidden(f"{at}.{s}", "may not specify more than 1 volume type") for s in sources[1:]]
        for source, key in NAMED_SOURCES.items():
            if source in sources and not volume[source].get(key):
                errors.append(fields.required(f"{at}.{source}.{key}"))
        errors += _files(volume, at)
    return errors


def validate_mounts(mounts: Iterable[Object], path: str, volumes: set[str]) -> Errors:
    """A container's volumeMounts, in a pod with these volumes."""
    errors: Errors = []
    places: set[str] = set()
    for i, mount in enumerate(mounts):
        at = f"{path}[{i}]"
        if mount["name"] not in volumes:
            errors.append(fields.not_found(f"{at}.name", mount["name"]))
        if not mount["mountPath"]:
            errors.append(fields.required(f"{at}.mountPath"))
        elif mount["mountPath"] in places:
            errors.append(fields.invalid(f"{at}.mountPath", mount["mountPath"], "must be unique"))
        places.add(mount["mountPath"])
        if mount.get("subPath") and mount.get("subPathExpr"):
            say = "subPathExpr and subPath are mutually exclusive"
            errors.append(fields.invalid(f"{at}.subPathExpr", mount["subPathExpr"], say))
        for field in ("subPath", "subPathExpr"):
            errors += fields.local_path(f"{path}.{field}", mount.get(field, ""))  # without [i], as Kubernetes has it
    return errors


def _files(volume: Object, path: str) -> Errors:
    """The files that a volume has of ConfigMaps, Secrets and the pod itself."""
    errors: Errors = []
    for kind in (*FILE_SOURCES, "projected"):
        if kind in volume:
            errors += _mode(volume[kind].get("defaultMode", 0), f"{path}.{kind}.defaultMode")
    for item, at in _items(volume, path):
        if not item["path"]:
            errors.append(fields.required(f"{at}.path"))
        errors += fields.local_path(f"{at}.path", item["path"], reserved=True)
        errors += _mode(item.get("mode", 0), f"{at}.mode")
    return errors


def _items(volume: Object, path: str) -> Iterator[tuple[Object, str]]:
    """What says which file lies where, with its field; the downward API's have no index there, as in Kubernetes."""
    projected = volume.get("projected", {}).get("sources", [])
    places = [(volume, path), *((source, f"{path}.projected.sources[{i}]") for i, source in enumerate(projected))]
    for source, at in places:
        for kind in FILE_SOURCES:
            for i, item in enumerate(source.get(kind, {}).get("items", [])):
                yield item, f"{at}.{kind}" + ("" if kind == "downwardAPI" else f".items[{i}]")


def _mode(mode: Any, path: str) -> Errors:
    if 0 <= mode <= 0o777:
        return []
    return [fields.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]
