"""docs/production.md: its figures are the manifests', and each line says where it is done or shown."""

import re

import pytest
import yaml

from catalogue import ROOT, Demo, demos
from tests.test_manifests import Object, containers, workloads

PAGE = (ROOT / "docs" / "production.md").read_text()
# A line of the checklist begins with what is to be set or watched.
ROWS = re.findall(r"^\| \*\*.*$", PAGE, re.MULTILINE)


def named(demo: Demo, name: str) -> Object:
    [workload] = [each for each in workloads(demo.manifests) if each["metadata"]["name"] == name]
    pod: Object = workload["spec"]["template"]["spec"]
    return pod


def pre_stop(pod: Object) -> int:
    seconds: int = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    return seconds


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("**")[1])
def test_a_line_says_where_it_is_done_or_shown(row: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", row)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).is_file(), link


def test_the_checklist_is_found() -> None:
    assert len(ROWS) > 30


def test_the_times_of_a_pods_end_are_those_of_the_manifests() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) s \| (\d+) s \|", PAGE, re.MULTILINE)
    said = {name: (int(seconds), int(grace)) for name, seconds, grace in rows}
    servers = [(demo.name.partition("/")[0], named(demo, "greeter-server")) for demo in demos()]
    for name, pod in servers:
        expected = said.get(name, (0, 30))  # clusterip has none, and Kubernetes' default
        assert (pre_stop(pod), pod.get("terminationGracePeriodSeconds", 30)) == expected, name
    assert said.keys() == {name for name, _ in servers} - {"clusterip"}
    [grpclb] = [demo for demo in demos() if demo.name == "grpclb"]
    assert f"the balancers themselves have {pre_stop(named(grpclb, 'greeter-balancer'))} s" in PAGE


def test_the_other_figures_are_those_of_the_manifests(demo: Demo) -> None:
    [server] = [each for each in workloads(demo.manifests) if each["metadata"]["name"] == "greeter-server"]
    container = named(demo, "greeter-server")["containers"][0]
    startup = container["startupProbe"]
    assert f"{startup['failureThreshold']} × {startup['periodSeconds']} s" in PAGE
    grace = container["livenessProbe"]["terminationGracePeriodSeconds"]
    assert f"**`terminationGracePeriodSeconds` of the liveness probe**: {grace} s" in PAGE
    if demo.name != "clusterip":
        assert f"**`minReadySeconds: {server['spec']['minReadySeconds']}`**" in PAGE
        assert server["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    if demo.name == "client_roundrobin":
        assert {"--permit-keepalive-time=5s", "--max-connection-age=5s"} <= {*container["args"]}


def test_no_container_has_a_cpu_limit_and_only_who_calls_the_api_has_a_token(demo: Demo) -> None:
    for workload in workloads(demo.manifests):
        pod = workload["spec"]["template"]["spec"]
        assert not any("cpu" in each["resources"]["limits"] for each in containers(workload))
        assert ("serviceAccountName" in pod) != (pod.get("automountServiceAccountToken") is False)


@pytest.mark.parametrize("manifest", ["client_envoy/manifests/client.yaml", "client_xds/manifests/envoy/client.yaml"])
def test_envoys_admin_interface_listens_on_localhost(manifest: str) -> None:
    [config] = [each for each in yaml.safe_load_all((ROOT / manifest).read_text()) if each["kind"] == "ConfigMap"]
    envoy = yaml.safe_load(config["data"]["envoy.yaml"])
    assert envoy["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
