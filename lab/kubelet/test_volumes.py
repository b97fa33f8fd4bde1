"""Volumes as files: their contents, modes and paths, updates that are seen all at once, and what is missing."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.apimachinery.store import Object, Store
from lab.kubelet import volumes
from lab.kubelet.environment import ConfigError
from lab.kubelet.mounts import Mounts
from lab.kubelet.volumes import MountError


@pytest.fixture
def store() -> Store:
    store = Store()
    data = {"a.txt": "one", "b.txt": "two"}
    binary = {"c.bin": base64.b64encode(b"\xff\x00").decode()}
    meta: Object = {"namespace": "shop", "name": "settings"}
    store.create("configmaps", {"metadata": meta, "data": data, "binaryData": binary})
    secret = {"tls.key": base64.b64encode(b"key").decode()}
    store.create("secrets", {"metadata": {"namespace": "shop", "name": "keys"}, "data": secret})
    return store


def pod(*declared: Object, **container: Any) -> Object:
    meta = {"namespace": "shop", "name": "p", "uid": "u-1", "labels": {"b": "2", "a": 'say "1"'}}
    return {"metadata": meta, "spec": {"containers": [{"name": "app"} | container], "volumes": list(declared)}}


def mounted(store: Store, directory: Path, *declared: Object, mounts: list[Object] | None = None) -> Mounts:
    """Write volumes for one container, each mounted at /NAME unless said otherwise, with `one` adapted to `ONE`."""
    default = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in declared]
    owner = pod(*declared, volumeMounts=mounts or default)
    made = Mounts(owner, owner["spec"]["containers"][0], directory, {"NAME": "p"})
    made.write(store, owner, lambda text: text.replace("one", "ONE"), {"cpu": "4"})
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
CONFIG = {"configMap": {"name": "settings", "defaultMode": 0o644}}


def test_a_configmap_is_a_file_a_key_with_its_text_adapted(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path, {"name": "config"} | CONFIG).paths["/config"]
    assert contents(at) == {"a.txt": b"ONE", "b.txt": b"two", "c.bin": b"\xff\x00"}
    assert (at / "a.txt").stat().st_mode & 0o777 == 0o644


def test_items_choose_keys_paths_and_modes(store: Store, tmp_path: Path) -> None:
    items = [{"key": "a.txt", "path": "sub/dir/x", "mode": 0o400}, {"key": "b.txt", "path": "y"}]
    volume = {"name": "config", "configMap": {"name": "settings", "items": items, "defaultMode": 0o600}}
    at = mounted(store, tmp_path, volume).paths["/config"]
    assert contents(at) == {"sub/dir/x": b"ONE", "y": b"two"}
    assert [(at / p).stat().st_mode & 0o777 for p in ("sub/dir/x", "y")] == [0o400, 0o600]


def test_a_secret_is_decoded(store: Store, tmp_path: Path) -> None:
    volume = {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}}
    assert contents(mounted(store, tmp_path, volume).paths["/keys"]) == {"tls.key": b"key"}


def test_a_projected_volume_joins_its_sources(store: Store, tmp_path: Path) -> None:
    sources = [
        {"configMap": {"name": "settings", "items": [{"key": "b.txt", "path": "b"}]}},
        {"secret": {"name": "keys"}},
        {
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "cpu", "resourceFieldRef": {"containerName": "app", "resource": "limits.cpu"}},
                ]
            }
        },
    ]
    volume = {"name": "all", "projected": {"sources": sources, "defaultMode": 0o644}}
    labels = b'a="say \\"1\\""\nb="2"'
    expected = {"b": b"two", "tls.key": b"key", "labels": labels, "cpu": b"4"}
    assert contents(mounted(store, tmp_path, volume).paths["/all"]) == expected


def test_an_emptydir_is_one_directory_for_all_containers(store: Store, tmp_path: Path) -> None:
    one = mounted(store, tmp_path, {"name": "scratch", "emptyDir": {}})
    other = mounted(
        store, tmp_path, {"name": "scratch", "emptyDir": {}}, mounts=[{"name": "scratch", "mountPath": "/x"}]
    )
    (one.paths["/scratch"] / "file").write_text("seen")
    assert (other.paths["/x"] / "file").read_text() == "seen"


def test_a_subpath_is_one_file_or_directory_of_the_volume(store: Store, tmp_path: Path) -> None:
    mounts = [
        {"name": "config", "mountPath": "/etc/app.txt", "subPath": "a.txt"},
        {"name": "scratch", "mountPath": "/data", "subPathExpr": "of/$(NAME)"},
    ]
    made = mounted(store, tmp_path, {"name": "config"} | CONFIG, {"name": "scratch", "emptyDir": {}}, mounts=mounts)
    assert made.paths["/etc/app.txt"].read_text() == "ONE"
    assert made.paths["/data"].is_dir()
    assert made.paths["/data"].parts[-2:] == ("of", "p")


@pytest.mark.parametrize("within", ["subPath", "subPathExpr"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../../x", "unable to provision SubPath `../../x`: must not contain '..'"),
        ("a/../../../x", "unable to provision SubPath `a/../../../x`: must not contain '..'"),
        ("{tmp}/x", "error SubPath `{tmp}/x` must not be an absolute path"),
    ],
)
def test_a_sub_path_cannot_leave_its_volume(store: Store, tmp_path: Path, within: str, path: str, message: str) -> None:
    path, message = path.format(tmp=tmp_path), message.format(tmp=tmp_path)
    scratch: Object = {"name": "scratch", "emptyDir": {}}
    with pytest.raises(ConfigError) as caught:
        mounted(store, tmp_path / "pod", scratch, mounts=[{"name": "scratch", "mountPath": "/data", within: path}])
    assert str(caught.value) == message
    assert list(tmp_path.rglob("x")) == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("$(UP)/x", "unable to provision SubPath `../../x`: must not contain '..'"),
        ("$(ROOT)/x", "error SubPath `/etc/x` must not be an absolute path"),
        ("$(NONE)/$(EMPTY)/$(NAME)", "missing value for EMPTY, NONE"),
    ],
)
def test_a_sub_path_cannot_leave_its_volume_by_a_variable(
    store: Store, tmp_path: Path, expression: str, message: str
) -> None:
    owner = pod(
        {"name": "scratch", "emptyDir": {}},
        volumeMounts=[{"name": "scratch", "mountPath": "/data", "subPathExpr": expression}],
    )
    with pytest.raises(ConfigError) as caught:
        Mounts(
            owner, owner["spec"]["containers"][0], tmp_path, {"UP": "../..", "ROOT": "/etc", "EMPTY": "", "NAME": "p"}
        )
    assert str(caught.value) == message


@pytest.mark.parametrize("target", ["", "new"])
def test_a_sub_path_cannot_leave_its_volume_by_a_symlink(store: Store, tmp_path: Path, target: str) -> None:
    scratch: Object = {"name": "scratch", "emptyDir": {}}
    at = mounted(store, tmp_path / "pod", scratch).paths["/scratch"]
    mounts = [{"name": "scratch", "mountPath": "/data", "subPath": "out/deeper"}]
    (at / "inside").mkdir()
    (at / "out").symlink_to("inside")
    assert mounted(store, tmp_path / "pod", scratch, mounts=mounts).paths["/data"].is_dir()
    (at / "out").unlink()
    (tmp_path / "home").mkdir()
    (at / "out").symlink_to(tmp_path / "home" / target)
    with pytest.raises(MountError, match=r'^failed to prepare subPath for volumeMount "scratch" of container "app"$'):
        mounted(store, tmp_path / "pod", scratch, mounts=mounts)
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("end", ["file", "loop"])
def test_a_sub_path_that_cannot_be_made_is_an_error(store: Store, tmp_path: Path, end: str) -> None:
    scratch: Object = {"name": "scratch", "emptyDir": {}}
    at = mounted(store, tmp_path, scratch).paths["/scratch"]
    (at / "file").touch()
    (at / "loop").symlink_to("loop")
    mounts = [{"name": "scratch", "mountPath": "/data", "subPath": f"{end}/x"}]
    with pytest.raises(MountError, match=r'subPath.* for volumeMount "scratch" of container "app"$'):
        mounted(store, tmp_path, scratch, mounts=mounts)


def test_an_update_removes_nothing_outside(store: Store, tmp_path: Path) -> None:
    at = mounted(store, tmp_path / "pod", {"name": "config"} | CONFIG).paths["/config"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/kept").touch()
    (at / "..data").unlink()
    (at / "..data").symlink_to(tmp_path / "home")
    mounted(store, tmp_path / "pod", {"name": "config"} | CONFIG)
    assert contents(at) == {"a.txt": b"ONE", "b.txt": b"two", "c.bin": b"\xff\x00"}
    assert (tmp_path / "home/kept").exists()


def of_the_pod(path: str) -> Object:
    return {"items": [{"path": path, "fieldRef": {"fieldPath": "metadata.name"}}]}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("../../x", "must not contain '..': ../../x"),
        ("a/../../../x", "must not contain '..': a/../../../x"),
        ("{tmp}/x", "must be relative path: {tmp}/x"),
        ("..data/x", "must not start with '..': ..data/x"),
        ("", 'must not be empty: ""'),
    ],
)
@pytest.mark.parametrize(
    "volume",
    [
        lambda path: CONFIG | {"configMap": CONFIG["configMap"] | {"items": [{"key": "a.txt", "path": path}]}},
        lambda path: {
            "secret": {"secretName": "keys", "items": [{"key": "tls.key", "path": path}], "defaultMode": 384}
        },
        lambda path: {"downwardAPI": {"defaultMode": 420} | of_the_pod(path)},
        lambda path: {"projected": {"sources": [{"downwardAPI": of_the_pod(path)}], "defaultMode": 420}},
    ],
    ids=["configMap", "secret", "downwardAPI", "projected"],
)
def test_a_file_cannot_leave_its_volume(
    store: Store, tmp_path: Path, volume: Callable[[str], Object], path: str, wrong: str
) -> None:
    with pytest.raises(MountError) as caught:
        mounted(store, tmp_path / "pod", {"name": "v"} | volume(path.format(tmp=tmp_path)))
    assert str(caught.value) == SETUP + "invalid path: " + wrong.format(tmp=tmp_path)
    assert list(tmp_path.rglob("x")) == []


@pytest.mark.parametrize("key", ["..", "../x", "..data", "{tmp}/x"])
def test_a_key_cannot_leave_its_volume(store: Store, tmp_path: Path, key: str) -> None:
    store.create(
        "configmaps", {"metadata": {"namespace": "shop", "name": "odd"}, "data": {key.format(tmp=tmp_path): "x"}}
    )
    with pytest.raises(MountError, match="invalid path: must "):
        mounted(store, tmp_path / "pod", {"name": "v", "configMap": {"name": "odd", "defaultMode": 0o644}})


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
    at = mounted(store, tmp_path, {"name": "v", kind: source | {"optional": True}}).paths["/v"]
    assert contents(at) == {}


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"hostPath": {"path": "/"}}, "the lab has no volumes of type hostPath"),
        (
            {"projected": {"defaultMode": 0o644, "sources": [{"serviceAccountToken": {"path": "token"}}]}},
            "the lab has no serviceAccountToken in projected volumes; pods find the API by KUBECONFIG",
        ),
    ],
)
def test_volumes_that_the_lab_has_not_are_named(store: Store, tmp_path: Path, volume: Object, message: str) -> None:
    with pytest.raises(MountError) as caught:
        mounted(store, tmp_path, {"name": "v"} | volume)
    assert str(caught.value) == SETUP + message


def test_a_pods_sources_are_the_objects_its_volumes_are_made_of() -> None:
    projected = {"sources": [{"configMap": {"name": "a"}}, {"secret": {"name": "b"}}, {"downwardAPI": {}}]}
    owner = pod({"name": "x", "projected": projected}, {"name": "y", "secret": {"secretName": "c"}}, {"name": "z"})
    assert volumes.sources(owner) == {("configmaps", "a"), ("secrets", "b"), ("secrets", "c")}
