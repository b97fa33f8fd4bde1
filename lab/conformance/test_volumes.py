"""Volumes: files of ConfigMaps, Secrets and the pod itself, and a place to write."""

import json

from lab.conformance.api import Api, Object
from lab.conformance.manifests import configmap, container, pod, python
from lab.conformance.states import finished, phase, restarts

# Prints each file below the directory of argument 1 and its text, but for what belongs to the volume's own making.
LIST = """
import json, os, sys
found = {}
for place, directories, names in os.walk(sys.argv[1], followlinks=True):
    directories[:] = [name for name in directories if not name.startswith("..")]
    paths = [os.path.join(place, name) for name in names if not name.startswith("..")]
    found |= {os.path.relpath(path, sys.argv[1]): open(path).read() for path in paths}
print(json.dumps(found))
"""
MODE = "import os, sys; print(oct(os.stat(sys.argv[1]).st_mode & 0o777))"


async def files(api: Api, volume: Object, code: str = LIST, path: str = "/data", **mount: str) -> str:
    """What a pod prints that mounts this volume at /data."""
    mounts = [{"name": "v", "mountPath": "/data"} | mount]
    main = container(python(code, path), volumeMounts=mounts)
    await api.create("pods", pod("web", main, volumes=[{"name": "v"} | volume], restartPolicy="Never"))
    done = await api.until_one("pods", "web", finished, "is finished")
    printed = await api.logs("web")
    assert phase(done) == "Succeeded", printed
    return printed


async def test_a_configmap_is_a_file_a_key(api: Api) -> None:
    await api.create("configmaps", configmap("c", data={"a.txt": "one\n", "b": "two"}, binaryData={"c": "dGhyZWU="}))
    assert json.loads(await files(api, {"configMap": {"name": "c"}})) == {"a.txt": "one\n", "b": "two", "c": "three"}


async def test_only_the_keys_named_are_there_where_they_are_to_be(api: Api) -> None:
    await api.create("configmaps", configmap("c", data={"a": "one", "b": "two"}))
    items = [{"key": "b", "path": "deep/er/b.txt"}]
    assert json.loads(await files(api, {"configMap": {"name": "c", "items": items}})) == {"deep/er/b.txt": "two"}


async def test_a_single_file_can_be_mounted(api: Api) -> None:
    await api.create("configmaps", configmap("c", data={"a": "one", "b": "two"}))
    mount = {"mountPath": "/data/own.txt", "subPath": "a"}
    printed = await files(
        api, {"configMap": {"name": "c"}}, "import sys; print(open(sys.argv[1]).read())", "/data/own.txt", **mount
    )
    assert printed == "one\n"


async def test_a_secret_is_decoded_and_its_mode_is_what_was_asked_for(api: Api) -> None:
    await api.create("secrets", configmap("s", stringData={"password": "geheim"}) | {"kind": "Secret"})
    volume = {"secret": {"secretName": "s", "defaultMode": 0o444}}
    assert await files(api, volume, MODE, "/data/password") == "0o444\n"


async def test_containers_share_an_empty_directory_and_it_outlives_them(api: Api) -> None:
    writes = (
        "import pathlib, sys; f = pathlib.Path(sys.argv[1]); f.write_text(f.read_text() + 'x' if f.exists() else 'x')"
    )
    mounted: Object = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    waits = "import pathlib, sys, time\nwhile pathlib.Path(sys.argv[1]).read_text() != 'xx': time.sleep(0.1)"
    writer = container(python(writes, "/shared/file"), "writer", **mounted)
    reader = container(python(waits, "/shared/file"), **mounted)
    spec: Object = {"volumes": [{"name": "shared", "emptyDir": {}}]}
    await api.create("pods", pod("web", reader, writer, **spec))
    await api.until_one(
        "pods", "web", lambda p: restarts(p, "writer") >= 1 and restarts(p) >= 1, "the reader has seen two writes"
    )


async def test_a_pod_waits_for_the_volume_it_names_and_events_tell(api: Api) -> None:
    main = container(python(LIST, "/data"), volumeMounts=[{"name": "v", "mountPath": "/data"}])
    volumes = [{"name": "v", "configMap": {"name": "late"}}]
    await api.create("pods", pod("web", main, volumes=volumes, restartPolicy="Never"))
    says = 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
    await api.until("events", lambda es: [e for e in es if (e["reason"], e["message"]) == ("FailedMount", says)], says)
    await api.create("configmaps", configmap("late", data={"a": "one"}))
    await api.until_one("pods", "web", finished, "is finished")
    assert json.loads(await api.logs("web")) == {"a": "one"}


async def test_a_volume_that_may_be_absent_is_empty(api: Api) -> None:
    assert json.loads(await files(api, {"configMap": {"name": "none", "optional": True}})) == {}
