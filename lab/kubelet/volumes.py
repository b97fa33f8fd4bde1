"""What is in a pod's volumes: ConfigMaps and Secrets as files.

Stands for the kubelet's volume plugins (k8s.io/kubernetes/pkg/volume/configmap, secret) and their AtomicWriter.
"""

import base64
import os
import posixpath
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.apimachinery.store import Object, Store

DATA = "..data"  # the symlink that an update moves, so that a reader sees all of the old files or all of the new ones


class MountError(Exception):
    """A volume can't be set up: the message of a FailedMount event."""


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int


def files(store: Store, pod: Object, volume: Object) -> dict[str, File] | None:
    """The files of a volume by their paths in it, or None for one whose files are the containers' own (emptyDir).

    Raises MountError.
    """
    if "emptyDir" in volume:
        return None
    try:
        return _checked(_files(store, pod, volume))
    except MountError as error:
        raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None


def sources(pod: Object) -> set[tuple[str, str]]:
    """The objects that the pod's volumes are made of: (resource, name)."""
    declared = pod["spec"].get("volumes", [])
    found = {("configmaps", volume["configMap"]["name"]) for volume in declared if "configMap" in volume}
    return found | {("secrets", volume["secret"]["secretName"]) for volume in declared if "secret" in volume}


def _files(store: Store, pod: Object, volume: Object) -> dict[str, File]:
    if spec := volume.get("configMap"):
        config_map = _find(store, pod, "configmaps", "configmap", spec["name"], spec)
        texts = {key: text.encode() for key, text in (config_map.get("data") or {}).items()}
        return _items(texts | _decoded(config_map.get("binaryData")), spec, "configmap", "config")
    if spec := volume.get("secret"):
        secret = _find(store, pod, "secrets", "secret", spec["secretName"], spec)
        return _items(_decoded(secret.get("data")), spec, "", "secret")
    raise MountError(f"the lab has no volumes of type {', '.join(volume.keys() - {'name'})}")


def _checked(found: dict[str, File]) -> dict[str, File]:
    """The files by paths that stay in their volume, as AtomicWriter makes sure of, though validation has done so."""
    for path in found:
        if not path or path.startswith(("/", "..")) or ".." in path.split("/"):
            raise MountError(f"invalid path: must lead to a file of the volume: {path!r}")
    return {posixpath.normpath(path): file for path, file in found.items()}


def _find(store: Store, pod: Object, resource: str, kind: str, name: str, spec: Object) -> Object:
    found = store.find(resource, pod["metadata"]["namespace"], name)
    if found is None and not spec.get("optional"):
        raise MountError(f'{kind} "{name}" not found')
    return found or {}


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}


def _items(data: dict[str, bytes], spec: Object, subject: str, key_kind: str) -> dict[str, File]:
    """All keys, or those that `items` names, at its paths."""
    mode = spec["defaultMode"]
    if not spec.get("items"):
        return {key: File(content, mode) for key, content in data.items()}
    found = {}
    for item in spec["items"]:
        if item["key"] in data:
            found[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not spec.get("optional"):
            raise MountError(f"{subject} references non-existent {key_kind} key: {item['key']}".lstrip())
    return found


def write(directory: Path, wanted: Mapping[str, File], adapt: Callable[[str], str]) -> None:
    """Bring a directory's files up to date, all at once; text is adapted first. Nothing changes: nothing is touched."""
    wanted = {path: File(_adapted(file.content, adapt), file.mode) for path, file in wanted.items()}
    data = directory / DATA
    if data.exists() and wanted == _read(data):
        return
    new = directory / f"..{time.time_ns()}"
    for path, file in wanted.items():
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    new.mkdir(parents=True, exist_ok=True)
    old = directory / data.readlink().name if data.is_symlink() else None  # in here, wherever a program has moved it
    (directory / "..data_tmp").symlink_to(new.name)
    os.replace(directory / "..data_tmp", data)
    tops = {path.split("/")[0] for path in wanted}
    for top in tops:
        if not (directory / top).is_symlink():
            (directory / top).symlink_to(f"{DATA}/{top}")
    for entry in directory.iterdir():
        if entry.name not in tops and not entry.name.startswith(".."):
            entry.unlink()
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _adapted(content: bytes, adapt: Callable[[str], str]) -> bytes:
    try:
        return adapt(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def _read(directory: Path) -> dict[str, File]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(p.relative_to(directory)): File(p.read_bytes(), p.stat().st_mode & 0o777) for p in found}
