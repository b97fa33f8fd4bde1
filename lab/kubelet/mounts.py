"""Where one container finds its volumes: its volumeMounts, with directories of the pod's in the place of mounts.

A ConfigMap, Secret or the like is written for each container that mounts it, because its text is adapted to that
container's own paths and addresses. An emptyDir is one directory for all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from lab.api.store import Object, Store
from lab.kubelet import volumes
from lab.kubelet.environment import expand


class Mounts:
    """One container's volumeMounts under the pod's directory."""

    def __init__(self, pod: Object, container: Object, directory: Path, variables: Mapping[str, str]) -> None:
        declared = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        mounts = container.get("volumeMounts", [])
        self._volumes = [declared[name] for name in dict.fromkeys(mount["name"] for mount in mounts)]
        self._directories = {
            volume["name"]: directory / ("volumes" if "emptyDir" in volume else container["name"]) / volume["name"]
            for volume in self._volumes
        }
        self.paths: dict[str, Path] = {}  # by mountPath
        for mount in mounts:
            within = mount.get("subPath") or expand(mount.get("subPathExpr", ""), variables)
            self.paths[mount["mountPath"]] = self._directories[mount["name"]] / within

    def write(self, store: Store, pod: Object, adapt: Callable[[str], str], capacity: Mapping[str, str]) -> None:
        """Bring the files up to date with the objects they come from. Raises volumes.MountError."""
        for volume in self._volumes:
            directory = self._directories[volume["name"]]
            directory.mkdir(parents=True, exist_ok=True)
            found = volumes.files(store, pod, volume, capacity)
            if found is not None:
                volumes.write(directory, found, adapt)
                continue
            for path in self.paths.values():  # a subPath of an emptyDir is a directory that the kubelet makes
                if path.is_relative_to(directory) and not path.exists():
                    path.mkdir(parents=True)
