"""Volumes as files: paths that would lead out of them, updates that are seen all at once, and what is missing."""

import base64
from pathlib import Path

import pytest

from lab.apimachinery.store import Object, Store
from lab.kubelet.mounts import Mounts
from lab.kubelet.volumes import MountError


@pytest.fixture
def store() -> Store:
    store = Store()
    data = {"a.txt": "one", "b.txt": "two"}
    binary = {"c.bin": base64.b64encode(b"\xff\x00").decode()}
    meta = {"namespace": "shop", "name": "settings"}
    store.create("configmaps", {"metadata": meta, "data": data, "binaryData": binary})
    secret = {"tls.key": base64.b64encode(b"key").decode()}
    store.create("secrets", {"metadata": {"namespace": "shop", "name": "keys"}, "data": secret})
    return store


def mounted(store: Store, directory: Path, *declared: Object, mounts: list[Object] | None = None) -> Mounts:
    """Write volumes for one container, each mounted at /NAME unless said otherwise, with `one` adapted to `ONE`."""
    default = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in declared]
    container: Object = {"name": "app", "volumeMounts": mounts or default}
    meta = {"namespace": "shop", "name": "p", "uid": "u-1"}
    pod: Object = {"metadata": meta, "spec": {"containers": [container], "volumes": list(declared)}}
    made = Mounts(pod, container, directory)
    made.write(store, pod, lambda text: text.replace("one", "ONE"))
    return made


def contents(directory: Path) -> dict[str, bytes]:
    """The files as a program sees them."""
    files = (p for p in directory.rglob("*") if p.is_file() and not str(p.relative_to(directory)).startswith(".."))
    entries = [p for p in directory.iterdir() if not p.name.startswith("..")]
    found = {str(p.relative_to(directory)): p.read_bytes() for p in files}
    for entry in entries:
        if entry.is_dir():
            found |= {f"{entry.name}/{path}": content for path, content in contents(entry).items()}
    return found


SETUP = 'MountVolume.SetUp failed for volume "v" : '
CONFIG: Object = {"configMap": {"name": "settings", "defaultMode": 0o644}}
SCRATCH: Object = {"name": "scratch", "emptyDir": {}}


def test_items_choose_keys_paths_and_modes(store: Store, tmp_path: Path) -> None:
    items = [{"key": "a.txt", "path": "sub/dir/x", "mode": 0o400}, {"key": "b.txt", "path": "y"}]
    volume = {"name": "config", "configMap": {"name": "settings", "items": items, "defaultMode": 0o600}}
    at = mounted(store, tmp_path, volume).paths["/config"]
    assert contents(at) == {"sub/dir/x": b"ONE", "y": b"two"}
    assert [(at / p).stat().st_mode & 0o777 for p in ("sub/dir/x", "y")] == [0o400, 0o600]


@pytest.mark.parametrize("path", ["..", "../x", "a/../../../x", "{tmp}/x", "..data/x", ""])
@pytest.mark.parametrize("named", ["key", "path"])
def test_no_file_leads_out_of_its_volume(store: Store, tmp_path: Path, named: str, path: str) -> None:
    path = path.format(tmp=tmp_path)
    store.create("configmaps", {"metadata": {"namespace": "shop", "name": "odd"}, "data": {path: "x"}})
    chosen = {"items": [{"key": "a.txt", "path": path}]} if named == "path" else {"name": "odd"}
    with pytest.raises(MountError, match="invalid path: must lead to a file of the volume"):
        mounted(store, tmp_path / "pod", {"name": "v", "configMap": CONFIG["configMap"] | chosen})
    assert list(tmp_path.rglob("x")) == []


@pytest.mark.parametrize("path", ["..", "../x", "a/../../../x", "{tmp}/x"])
def test_no_sub_path_leads_out_of_its_volume(store: Store, tmp_path: Path, path: str) -> None:
    mounts = [{"name": "scratch", "mountPath": "/data", "subPath": path.format(tmp=tmp_path)}]
    with pytest.raises(MountError, match="failed to prepare subPath"):
        mounted(store, tmp_path / "pod", SCRATCH, mounts=mounts)
    assert list(tmp_path.rglob("x")) == []


@pytest.mark.parametrize("target", ["", "new"])
def test_a_sub_path_cannot_leave_its_volume_by_a_symlink(store: Store, tmp_path: Path, target: str) -> None:
    at = mounted(store, tmp_path / "pod", SCRATCH).paths["/scratch"]
    mounts = [{"name": "scratch", "mountPath": "/data", "subPath": "out/deeper"}]
    (at / "inside").mkdir()
    (at / "out").symlink_to("inside")
    assert mounted(store, tmp_path / "pod", SCRATCH, mounts=mounts).paths["/data"].is_dir()
    (at / "out").unlink()
    (tmp_path / "home").mkdir()
    (at / "out").symlink_to(tmp_path / "home" / target)
    with pytest.raises(MountError, match=r'^failed to prepare subPath for volumeMount "scratch" of container "app"$'):
        mounted(store, tmp_path / "pod", SCRATCH, mounts=mounts)
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("end", ["file", "loop"])
def test_a_sub_path_that_cannot_be_made_is_an_error(store: Store, tmp_path: Path, end: str) -> None:
    at = mounted(store, tmp_path, SCRATCH).paths["/scratch"]
    (at / "file").touch()
    (at / "loop").symlink_to("loop")
    mounts = [{"name": "scratch", "mountPath": "/data", "subPath": f"{end}/x"}]
    with pytest.raises(MountError, match=r'subPath.* for volumeMount "scratch" of container "app"$'):
        mounted(store, tmp_path, SCRATCH, mounts=mounts)


def test_an_update_removes_nothing_outside(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path / "pod", {"name": "config"} | CONFIG).paths["/config"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/kept").touch()
    (at / "..data").unlink()
    (at / "..data").symlink_to(tmp_path / "home")
    mounted(store, tmp_path / "pod", {"name": "config"} | CONFIG)
    assert contents(at) == {"a.txt": b"ONE", "b.txt": b"two", "c.bin": b"\xff\x00"}
    assert (tmp_path / "home/kept").exists()


def test_paths_are_cleaned(store: Store, tmp_path: Path) -> None:
    items = [{"key": "a.txt", "path": "./sub//./a"}, {"key": "b.txt", "path": "b/"}]
    volume = {"name": "config", "configMap": {"name": "settings", "items": items, "defaultMode": 0o644}}
    at = mounted(store, tmp_path, volume).paths["/config"]
    assert contents(at) == {"sub/a": b"ONE", "b": b"two"}


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), (".", "a")])
def test_paths_that_cannot_be_side_by_side_are_an_error(store: Store, tmp_path: Path, paths: tuple[str, str]) -> None:
    items = [{"key": key, "path": path} for key, path in zip(("a.txt", "b.txt"), paths, strict=True)]
    with pytest.raises(MountError, match=r'MountVolume.SetUp failed for volume "v" : .* (directory|exists)'):
        mounted(store, tmp_path, {"name": "v", "configMap": {"name": "settings", "items": items, "defaultMode": 420}})


def test_an_update_replaces_all_files_at_once(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path, {"name": "config"} | CONFIG).paths["/config"]
    before = (at / "..data").resolve()
    assert before.is_dir()

    def change(config_map: Object) -> None:
        config_map["data"] = {"a.txt": "three", "d.txt": "new"}
        del config_map["binaryData"]

    store.mutate("configmaps", "shop", "settings", change)
    mounted(store, tmp_path, {"name": "config"} | CONFIG)
    assert contents(at) == {"a.txt": b"three", "d.txt": b"new"}
    assert (at / "..data").resolve() != before
    assert not before.exists()


def test_nothing_is_touched_where_nothing_changed(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path, {"name": "config"} | CONFIG).paths["/config"]
    before = (at / "..data").resolve()
    mounted(store, tmp_path, {"name": "config"} | CONFIG)
    assert (at / "..data").resolve() == before


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "nocm"}}, 'configmap "nocm" not found'),
        ({"secret": {"secretName": "nosecret"}}, 'secret "nosecret" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "zz", "path": "zz"}]}},
            "configmap references non-existent config key: zz",
        ),
        (
            {"secret": {"secretName": "keys", "items": [{"key": "zz", "path": "zz"}]}},
            "references non-existent secret key: zz",
        ),
        ({"hostPath": {"path": "/"}}, "the lab has no volumes of type hostPath"),
    ],
)
def test_what_is_missing_is_named_unless_it_is_optional(
    store: Store, tmp_path: Path, volume: Object, message: str
) -> None:
    ((kind, source),) = volume.items()
    source["defaultMode"] = 0o644
    with pytest.raises(MountError) as caught:
        mounted(store, tmp_path, {"name": "v", kind: source})
    assert str(caught.value) == SETUP + message
    if kind != "hostPath":
        at = mounted(store, tmp_path, {"name": "v", kind: source | {"optional": True}}).paths["/v"]
        assert contents(at) == {}
