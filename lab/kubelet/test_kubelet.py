"""Containers on the node: what they run in, how long they wait for their next start, and what is kept of them."""

import sys
from pathlib import Path

import pytest

from lab.apimachinery.store import Object
from lab.kubelet import containers
from lab.testing import until
from lab.testing.pod_lab import NAMESPACE, PodLab, container


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs of tenths of seconds."""
    monkeypatch.setattr(containers, "FIRST_BACKOFF", 0.2)
    monkeypatch.setattr(containers, "SYNC", 0.05)


@pytest.mark.usefixtures("_impatient")
async def test_the_logs_of_the_last_two_runs_are_kept(lab: PodLab) -> None:
    lab.create(command=["sh", "-c", "echo run; exit 3"])
    await until(lambda: lab.container().get("restartCount") == 3, "three restarts")
    assert (lab.log(restart=2), lab.log(restart=0)) == ("run\n", "")


async def test_back_off_doubles_up_to_five_minutes_and_is_forgotten_after_ten() -> None:
    backoff, delays = containers.RestartBackoff(), list[str]()
    for _ in range(8):
        ended = backoff._updated if delays else 0.0
        delays.append(containers.go_duration(backoff.delay(ended)))
        backoff.next(ended)
    assert delays == ["0s", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]
    assert backoff.delay(backoff._updated + 599) == 300
    assert backoff.delay(backoff._updated + 601) == 0


async def test_what_the_user_names_does_not_get_in_the_way_of_the_labs_own_files(lab: PodLab) -> None:
    names = ["kubeconfig", "volumes", "containers", "home", "tmp"]
    lab.config_map("words", greeting="hello")
    volumes = [{"name": name, "configMap": {"name": "words"}} for name in names]
    mounts = [{"name": name, "mountPath": f"/etc/{name}"} for name in names]
    script = "touch $HOME/own $TMPDIR/own; ls /etc/tmp /etc/home; test -f $KUBECONFIG"
    lab.create(
        containers=[container(name, ["sh", "-c", script], volumeMounts=mounts) for name in names],
        volumes=volumes,
        restartPolicy="Never",
    )
    await lab.phase("Succeeded")
    for name in names:
        assert lab.log(name).split()[1::2] == ["greeting", "greeting"]


async def test_a_containers_environment_is_clean(lab: PodLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    pod_ip: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    listen: Object = {"name": "LISTEN", "value": "0.0.0.0:80"}
    lab.create(containers=[container("app", ["env"], env=[pod_ip, listen])], restartPolicy="Never")
    await lab.phase("Succeeded")
    found = dict(line.split("=", 1) for line in lab.log().splitlines())
    own = {
        "PATH",
        "PYTHONUNBUFFERED",
        "HOSTNAME",
        "GRPC_NODE_USE_ALTERNATIVE_RESOLVER",
        "HOME",
        "TMPDIR",
        "KUBECONFIG",
        "POD_IP",
        "LISTEN",
    }
    assert set(found) - {"LD_LIBRARY_PATH"} == own
    ip = lab.status()["podIP"]
    assert (found["HOSTNAME"], found["POD_IP"], found["LISTEN"]) == ("p", ip, f"{ip}:10080")
    assert found["PATH"].startswith(str(Path(sys.executable).parent))
    for variable in ("HOME", "TMPDIR", "KUBECONFIG"):
        assert found[variable].startswith(str(lab.state))
    kubeconfig = Path(found["KUBECONFIG"])
    assert kubeconfig.stat().st_mode & 0o777 == 0o600  # noqa: ASYNC240 (a small file)
    assert f"namespace: {NAMESPACE}" in kubeconfig.read_text()  # noqa: ASYNC240


async def test_a_pod_that_wants_no_token_gets_no_kubeconfig(lab: PodLab) -> None:
    lab.create(command=["env"], restartPolicy="Never", automountServiceAccountToken=False)
    await lab.phase("Succeeded")
    assert "KUBECONFIG" not in lab.log()
    assert "HOSTNAME=p" in lab.log()


async def test_a_container_works_where_it_is_told_to_in_its_volumes_too(lab: PodLab) -> None:
    lab.config_map("words", greeting="hello")
    mounts = [{"name": "words", "mountPath": "etc/words/"}]  # at the root all the same
    spec = container("app", ["cat", "greeting"], volumeMounts=mounts, workingDir="/etc/words/")
    volumes = [{"name": "words", "configMap": {"name": "words"}}]
    lab.create(containers=[spec], volumes=volumes, restartPolicy="Never")
    await lab.phase("Succeeded")
    assert lab.log() == "hello\n"


async def test_a_sidecar_ends_with_a_pod_whose_init_container_has_failed(lab: PodLab) -> None:
    init = [container("proxy", restartPolicy="Always"), container("prepare", ["sh", "-c", "exit 2"])]
    lab.create(initContainers=init, containers=[container("app")], restartPolicy="Never")
    await lab.phase("Failed")
    await until(lambda: "terminated" in lab.container("proxy")["state"], "the sidecar has ended")


async def test_an_image_of_a_version_that_the_lab_has_not_is_told_of(lab: PodLab) -> None:
    images = {"other": "envoyproxy/envoy:v1.21.0", "ours": "envoyproxy/envoy:v1.40-latest"}
    lab.create(containers=[container(name, ["true"], image) for name, image in images.items()], restartPolicy="Never")
    await lab.phase("Succeeded")
    told = [event for event in lab.store.list("events", NAMESPACE) if event["reason"] == "OtherVersion"]
    assert [event["involvedObject"]["fieldPath"] for event in told] == ["spec.containers{other}"]
    assert "in the place of envoyproxy/envoy:v1.21.0, which it does not have" in told[0]["message"]


async def test_a_container_without_a_command_runs_its_images_own(lab: PodLab) -> None:
    lab.create(containers=[{"name": "app", "image": "greeter:dev"}], restartPolicy="Never")
    await lab.phase("Succeeded")
