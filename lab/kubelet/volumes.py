"""Volumes: ConfigMaps and Secrets as files, and where one container finds them and its emptyDirs.

Stands for the kubelet's volume plugins (k8s.io/kubernetes/pkg/volume/configmap, secret) and their AtomicWriter. In the
place of mounts there are directories of the pod's: a ConfigMap or Secret is written for each container that mounts it,
because its text is adapted to that container's own paths and addresses; an emptyDir is one directory for all.
"""

import base64
import os
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
    """The files of a volume by their names, or None for one whose files are the containers' own (emptyDir).

    Raises MountError.
    """
    if "emptyDir" in volume:
        return None
    try:
        if spec := volume.get("configMap"):
            config_map = _find(store, pod, "configmaps", "configmap", spec["name"], spec)
            texts = {key: text.encode() for key, text in (config_map.get("data") or {}).items()}
            return _checked(texts | _decoded(config_map.get("binaryData")), spec["defaultMode"])
        if spec := volume.get("secret"):
            secret = _find(store, pod, "secrets", "secret", spec["secretName"], spec)
            return _checked(_decoded(secret.get("data")), spec["defaultMode"])
        raise MountError(f"the lab has no volumes of type {', '.join(volume.keys() - {'name'})}")
    except MountError as error:
        raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None


def sources(pod: Object) -> set[tuple[str, str]]:
    """The objects that the pod's volumes are made of: (resource, name)."""
    declared = pod["spec"].get("volumes", [])
    found = {("configmaps", volume["configMap"]["name"]) for volume in declared if "configMap" in volume}
    return found | {("secrets", volume["secret"]["secretName"]) for volume in declared if "secret" in volume}


def _checked(data: dict[str, bytes], mode: int) -> dict[str, File]:
    """A file a key. That keys are names of files, validation has made sure of already."""
    for key in data:
        if not key or key.startswith("..") or "/" in key:
            raise MountError(f"invalid key: must be the name of a file: {key!r}")
    return {key: File(content, mode) for key, content in data.items()}


def _find(store: Store, pod: Object, resource: str, kind: str, name: str, spec: Object) -> Object:
    found = store.find(resource, pod["metadata"]["namespace"], name)
    if found is None and not spec.get("optional"):
        raise MountError(f'{kind} "{name}" not found')
    return found or {}


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}


def _write(directory: Path, wanted: Mapping[str, File], adapt: Callable[[str], str]) -> None:
    """Bring a directory's files up to date, all at once; text is adapted first. Nothing changes: nothing is touched."""
    wanted = {name: File(_adapted(file.content, adapt), file.mode) for name, file in wanted.items()}
    data = directory / DATA
    if data.exists() and wanted == _read(data):
        return
    new = directory / f"..{time.time_ns()}"
    new.mkdir(parents=True)
    for name, file in wanted.items():
        (new / name).write_bytes(file.content)
        (new / name).chmod(file.mode)
    old = directory / data.readlink().name if data.is_symlink() else None  # in here, wherever a program has moved it
    (directory / "..data_tmp").symlink_to(new.name)
    os.replace(directory / "..data_tmp", data)
    for name in wanted:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{DATA}/{name}")
    for entry in directory.iterdir():
        if entry.name not in wanted and not entry.name.startswith(".."):
            entry.unlink()
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _adapted(content: bytes, adapt: Callable[[str], str]) -> bytes:
    try:
        return adapt(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def _read(directory: Path) -> dict[str, File]:
    return {path.name: File(path.read_bytes(), path.stat().st_mode & 0o777) for path in directory.iterdir()}


def own(directory: Path, container: Object) -> Path:
    """What of the pod's directory is one container's alone. No name in it is both somebody's choice and the lab's."""
    return directory / "containers" / str(container["name"])


class Mounts:
    """One container's volumeMounts under the pod's directory."""

    def __init__(self, pod: Object, container: Object, directory: Path) -> None:
        declared = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        shared, private = directory / "volumes", own(directory, container) / "volumes"
        self._volumes: list[tuple[Object, Path]] = []  # each with its directory
        self.paths: dict[str, Path] = {}  # by mountPath as programs say it: a relative one begins at the root
        for mount in container.get("volumeMounts", []):
            volume = declared[mount["name"]]
            path = (shared if "emptyDir" in volume else private) / str(volume["name"])
            self._volumes.append((volume, path))
            self.paths["/" + str(mount["mountPath"]).strip("/")] = path

    def write(self, store: Store, pod: Object, adapt: Callable[[str], str]) -> None:
        """Bring the files up to date with the objects they come from. Raises MountError."""
        for volume, directory in self._volumes:
            directory.mkdir(parents=True, exist_ok=True)
            if (found := files(store, pod, volume)) is not None:
                _write(directory, found, adapt)
