"""Where one container finds its volumes: its volumeMounts, with directories of the pod's in the place of mounts.

A ConfigMap, Secret or the like is written for each container that mounts it, because its text is adapted to that
container's own paths and addresses. An emptyDir is one directory for all.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.apimachinery.store import Object, Store
from lab.kubelet import volumes
from lab.kubelet.environment import REFERENCE, ConfigError, expand
from lab.kubelet.volumes import MountError


def own(directory: Path, container: Object) -> Path:
    """What of the pod's directory is one container's alone. No name in it is both somebody's choice and the lab's."""
    return directory / "containers" / str(container["name"])


class Mounts:
    """One container's volumeMounts under the pod's directory. Raises environment.ConfigError."""

    def __init__(self, pod: Object, container: Object, directory: Path, variables: Mapping[str, str]) -> None:
        declared = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        self._container = container
        self._mounts = container.get("volumeMounts", [])
        self._volumes = [declared[name] for name in dict.fromkeys(mount["name"] for mount in self._mounts)]
        shared, private = directory / "volumes", own(directory, container) / "volumes"
        self._directories = {
            volume["name"]: (shared if "emptyDir" in volume else private) / volume["name"] for volume in self._volumes
        }
        self.paths: dict[str, Path] = {}  # by mountPath
        for mount in self._mounts:
            self.paths[_mount_path(mount)] = self._directories[mount["name"]] / _sub_path(mount, variables)

    def write(self, store: Store, pod: Object, adapt: Callable[[str], str], capacity: Mapping[str, str]) -> None:
        """Bring the files up to date with the objects they come from. Raises volumes.MountError."""
        empty = set()
        for volume in self._volumes:
            directory = self._directories[volume["name"]]
            directory.mkdir(parents=True, exist_ok=True)
            found = volumes.files(store, pod, volume, capacity)
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


def _sub_path(mount: Object, variables: Mapping[str, str]) -> str:
    """Where in its volume a mount begins. Raises environment.ConfigError, also for what validation has refused."""
    path: str = mount.get("subPath", "")
    if expression := mount.get("subPathExpr"):
        names = {match[1] for match in REFERENCE.finditer(expression) if match[1]}
        if missing := sorted(name for name in names if not variables.get(name)):
            raise ConfigError(f"missing value for {', '.join(missing)}")
        path = expand(expression, variables)
    if path.startswith("/"):
        raise ConfigError(f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise ConfigError(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path
