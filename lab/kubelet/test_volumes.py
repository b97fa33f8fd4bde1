"""Volumes as files: names that would lead out of them and what is adapted."""

import base64
from pathlib import Path

import pytest

from lab.apimachinery.store import Object, Store
from lab.kubelet.volumes import MountError, Mounts

MODE = {"defaultMode": 0o644}
CONFIG: Object = {"configMap": {"name": "settings"} | MODE}


@pytest.fixture
def store() -> Store:
    """With a ConfigMap `settings`."""
    store = Store()
    binary = {"c.bin": base64.b64encode(b"\xff\x00").decode()}
    meta = {"namespace": "shop", "name": "settings"}
    store.create("configmaps", {"metadata": meta, "data": {"a.txt": "one", "b.txt": "two"}, "binaryData": binary})
    return store


def mounted(store: Store, directory: Path, volume: Object) -> Path:
    """Write a volume for a container, with `one` adapted to `ONE`; return where it lies."""
    container: Object = {"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    spec = {"containers": [container], "volumes": [{"name": "v"} | volume]}
    pod: Object = {"metadata": {"namespace": "shop", "name": "p", "uid": "u-1"}, "spec": spec}
    mounts = Mounts(pod, container, directory)
    mounts.write(store, pod, lambda text: text.replace("one", "ONE"))
    return mounts.paths["/v"]


def contents(directory: Path) -> dict[str, bytes]:
    """The files as a program sees them."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("key", ["..", "../x", "..data", "a/../../../x", "{tmp}/x"])
def test_no_key_leads_out_of_its_volume(store: Store, tmp_path: Path, key: str) -> None:
    data = {key.format(tmp=tmp_path): "x"}
    store.create("configmaps", {"metadata": {"namespace": "shop", "name": "odd"}, "data": data})
    with pytest.raises(MountError, match="invalid path: must be relative"):
        mounted(store, tmp_path / "pod", {"configMap": {"name": "odd"} | MODE})
    assert list(tmp_path.rglob("x")) == []


def test_the_files_are_those_of_the_last_start(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path, CONFIG)
    assert contents(at) == {"a.txt": b"ONE", "b.txt": b"two", "c.bin": b"\xff\x00"}
    store.mutate("configmaps", "shop", "settings", lambda c: c.update(data={"a.txt": "3", "d": "new"}, binaryData={}))
    assert contents(mounted(store, tmp_path, CONFIG)) == {"a.txt": b"3", "d": b"new"}
