"""Environment variables: literal, of the pod itself, of ConfigMaps and Secrets, and in commands."""

import json
from typing import Any

from lab.conformance.api import Api, Object
from lab.conformance.manifests import configmap, container, env_field, pod, python
from lab.conformance.states import finished, phase, waiting

PRINT = "import json, os, sys; print(json.dumps({k: os.environ.get(k) for k in sys.argv[1:]}))"


async def run(api: Api, main: Object, **spec: Any) -> str:
    """Run a pod of this container and return what it prints."""
    await api.create("pods", pod("web", main, **{"restartPolicy": "Never"} | spec))
    done = await api.until_one("pods", "web", finished, "is finished")
    printed = await api.logs("web")
    assert phase(done) == "Succeeded", printed
    return printed


async def environment(api: Api, env: list[Object], *names: str, **fields: Any) -> dict[str, str | None]:
    """The values of these variables in a container."""
    values: dict[str, str | None] = json.loads(await run(api, container(python(PRINT, *names), env=env, **fields)))
    return values


async def test_a_pod_learns_who_and_where_it_is(api: Api) -> None:
    paths = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "UID": "metadata.uid",
        "COLOUR": "metadata.labels['example.com/colour']",
        "NOTE": "metadata.annotations['note']",
        "NODE": "spec.nodeName",
        "ACCOUNT": "spec.serviceAccountName",
        "POD_IP": "status.podIP",
        "HOST_IP": "status.hostIP",
    }
    main = container(python(PRINT, *paths), env=[env_field(*item) for item in paths.items()])
    obj = pod("web", main, labels={"example.com/colour": "red"}, restartPolicy="Never")
    obj["metadata"]["annotations"] = {"note": "two\nlines"}
    await api.create("pods", obj)
    done = await api.until_one("pods", "web", finished, "is finished")
    assert json.loads(await api.logs("web")) == {
        "NAME": "web",
        "NAMESPACE": api.namespace,
        "UID": done["metadata"]["uid"],
        "COLOUR": "red",
        "NOTE": "two\nlines",
        "NODE": done["spec"]["nodeName"],
        "ACCOUNT": "default",
        "POD_IP": done["status"]["podIP"],
        "HOST_IP": done["status"]["hostIP"],
    }


async def test_variables_can_be_made_of_those_before_them(api: Api) -> None:
    env = [
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)b"},
        {"name": "LATER", "value": "$(C)"},
        {"name": "C", "value": "c"},
        {"name": "ESCAPED", "value": "$$(A)"},
        {"name": "TWICE", "value": "1"},
        {"name": "TWICE", "value": "2"},
    ]
    values = await environment(api, env, "A", "B", "LATER", "ESCAPED", "TWICE", "NONE")
    assert values == {"A": "a", "B": "ab", "LATER": "$(C)", "ESCAPED": "$(A)", "TWICE": "2", "NONE": None}


async def test_commands_and_args_name_variables(api: Api) -> None:
    env = [{"name": "A", "value": "a"}]
    main = container(
        python("import sys; print(sys.argv[1:])", "$(A)"), args=["x$(A)y", "$$(A)", "$(NONE)", "$A"], env=env
    )
    assert await run(api, main) == "['a', 'xay', '$(A)', '$(NONE)', '$A']\n"


async def test_variables_come_from_configmaps_and_secrets(api: Api) -> None:
    await api.create("configmaps", configmap("c", data={"ONE": "1", "TWO": "2"}))
    await api.create("secrets", configmap("s", stringData={"PASSWORD": "geheim"}) | {"kind": "Secret"})
    env: list[Object] = [
        {"name": "FROM_KEY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "ONE"}}},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "PASSWORD"}}},
        {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {"name": "TWO", "value": "own"},
    ]
    whole = [
        {"configMapRef": {"name": "c"}},
        {"secretRef": {"name": "s"}, "prefix": "S_"},
        {"configMapRef": {"name": "none", "optional": True}},
    ]
    names = ["FROM_KEY", "FROM_SECRET", "ABSENT", "ONE", "TWO", "S_PASSWORD"]
    assert await environment(api, env, *names, envFrom=whole) == {
        "FROM_KEY": "1",
        "FROM_SECRET": "geheim",
        "ABSENT": None,
        "ONE": "1",
        "TWO": "own",
        "S_PASSWORD": "geheim",
    }


async def test_a_container_waits_for_the_configmap_that_it_names(api: Api) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    await api.create("pods", pod("web", container(python(PRINT, "A"), env=env), restartPolicy="Never"))
    waits = await api.until_one("pods", "web", lambda p: "message" in waiting(p), "says what it waits for")
    assert waiting(waits) == {"reason": "CreateContainerConfigError", "message": 'configmap "late" not found'}
    await api.create("configmaps", configmap("late", data={"a": "b"}))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == '{"A": "b"}\n'


async def test_a_container_waits_for_the_key_that_it_names(api: Api) -> None:
    await api.create("secrets", configmap("s", stringData={"b": "c"}) | {"kind": "Secret"})
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}]
    await api.create("pods", pod("web", container(python(PRINT, "A"), env=env)))
    waits = await api.until_one("pods", "web", lambda p: "message" in waiting(p), "says what it waits for")
    message = f"couldn't find key a in Secret {api.namespace}/s"
    assert waiting(waits) == {"reason": "CreateContainerConfigError", "message": message}
