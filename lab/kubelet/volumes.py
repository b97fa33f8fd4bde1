"""Volumes: ConfigMaps and Secrets as files, and where one container finds them and its emptyDirs.

Stands for the kubelet's volume plugins (k8s.io/kubernetes/pkg/volume/configmap, secret). In the place of mounts there
are directories of the pod's: a ConfigMap or Secret is written for each container that mounts it, whenever that starts,
because its text is adapted to that container's own paths and addresses; an emptyDir is one directory for all. Left out:
that files change while a container runs.
"""

import base64
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.apimachinery.store import Object, Store


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
        if spec := volume.get("configMap"):
            config_map = _find(store, pod, "configmaps", "configmap", spec["name"], spec)
            texts = {key: text.encode() for key, text in (config_map.get("data") or {}).items()}
            return _items(texts | _decoded(config_map.get("binaryData")), spec)
        if spec := volume.get("secret"):
            secret = _find(store, pod, "secrets", "secret", spec["secretName"], spec)
            return _items(_decoded(secret.get("data")), spec)
        raise MountError(f"the lab has no volumes of type {', '.join(volume.keys() - {'name'})}")
    except MountError as error:
        raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None


def _items(data: dict[str, bytes], spec: Object) -> dict[str, File]:
    """A file a key, or those that `items` names, at its paths. Raises MountError."""
    found = {}
    for item in spec.get("items") or ({"key": key, "path": key} for key in data):
        if item["key"] in data:
            found[_local(item["path"])] = File(data[item["key"]], item.get("mode", spec["defaultMode"]))
        elif not spec.get("optional"):
            raise MountError(f"references non-existent key: {item['key']}")
    return found


def _local(path: str) -> str:
    """A path that stays in its volume. Raises MountError."""
    if path.startswith(("/", "..")) or ".." in path.split("/"):
        raise MountError(f"invalid path: must be relative, without '..': {path}")
    return path


def _find(store: Store, pod: Object, resource: str, kind: str, name: str, spec: Object) -> Object:
    found = store.find(resource, pod["metadata"]["namespace"], name)
    if found is None and not spec.get("optional"):
        raise MountError(f'{kind} "{name}" not found')
    return found or {}


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (data or {}).items()}


def _write(directory: Path, files: Mapping[str, File], adapt: Callable[[str], str]) -> None:
    """Make these the directory's files; text is adapted first."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_adapted(file.content, adapt))
        path.chmod(file.mode)


def _adapted(content: bytes, adapt: Callable[[str], str]) -> bytes:
    try:
        return adapt(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def own(directory: Path, container: Object) -> Path:
    """What of the pod's directory is one container's alone. No name in it is both somebody's choice and the lab's."""
    return directory / "containers" / str(container["name"])


class Mounts:
    """One container's volumeMounts under the pod's directory. Raises MountError."""

    def __init__(self, pod: Object, container: Object, directory: Path) -> None:
        declared = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        shared, private = directory / "volumes", own(directory, container) / "volumes"
        self._volumes: list[tuple[Object, Path]] = []  # each with its directory
        self.paths: dict[str, Path] = {}  # by mountPath as programs say it: a relative one begins at the root
        for mount in container.get("volumeMounts", []):
            volume = declared[mount["name"]]
            path = (shared if "emptyDir" in volume else private) / str(volume["name"])
            begins = path / _local(mount.get("subPath", ""))
            self._volumes.append((volume, begins if "emptyDir" in volume else path))
            self.paths["/" + str(mount["mountPath"]).strip("/")] = begins

    def write(self, store: Store, pod: Object, adapt: Callable[[str], str]) -> None:
        """Write the files of the objects they come from, as these are now. Raises MountError."""
        for volume, directory in self._volumes:
            if (found := files(store, pod, volume)) is not None:
                _write(directory, found, adapt)
            else:
                directory.mkdir(parents=True, exist_ok=True)
