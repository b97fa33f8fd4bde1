"""Where one container finds its volumes: its volumeMounts, with directories of the pod's in the place of mounts.

A ConfigMap or Secret is written for each container that mounts it, because its text is adapted to that container's own
paths and addresses. An emptyDir is one directory for all.
"""

import os
from collections.abc import Callable
from pathlib import Path

from lab.apimachinery.store import Object, Store
from lab.kubelet import volumes
from lab.kubelet.volumes import MountError


def own(directory: Path, container: Object) -> Path:
    """What of the pod's directory is one container's alone. No name in it is both somebody's choice and the lab's."""
    return directory / "containers" / str(container["name"])


class Mounts:
    """One container's volumeMounts under the pod's directory."""

    def __init__(self, pod: Object, container: Object, directory: Path) -> None:
        declared = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        self._container = container
        self._mounts = container.get("volumeMounts", [])
        self._volumes = [declared[name] for name in dict.fromkeys(mount["name"] for mount in self._mounts)]
        shared, private = directory / "volumes", own(directory, container) / "volumes"
        self._directories = {
            volume["name"]: (shared if "emptyDir" in volume else private) / volume["name"] for volume in self._volumes
        }
        self.paths = {  # by mountPath
            _mount_path(mount): self._directories[mount["name"]] / mount.get("subPath", "") for mount in self._mounts
        }

    def write(self, store: Store, pod: Object, adapt: Callable[[str], str]) -> None:
        """Bring the files up to date with the objects they come from. Raises volumes.MountError."""
        empty = set()
        for volume in self._volumes:
            directory = self._directories[volume["name"]]
            directory.mkdir(parents=True, exist_ok=True)
            found = volumes.files(store, pod, volume)
            if found is None:
                empty.add(volume["name"])
            else:
                try:
                    volumes.write(directory, found, adapt)
                except OSError as error:  # as for the paths `a` and `a/b`
                    raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
        for mount in self._mounts:
            path, name = self.paths[_mount_path(mount)], mount["name"]
            of = f'volumeMount "{name}" of container "{self._container["name"]}"'
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._directories[name])):
                raise MountError(f"failed to prepare subPath for {of}")  # it is, or lies behind, a symlink
            if name in empty and not path.exists():  # a subPath of an emptyDir is a directory that the kubelet makes
                try:
                    path.mkdir(parents=True)
                except OSError as error:
                    raise MountError(f"failed to create subPath directory for {of}") from error


def _mount_path(mount: Object) -> str:
    """Where a mount begins in the container, as programs say it: a relative mountPath begins at the root."""
    return "/" + str(mount["mountPath"]).strip("/")
