"""Pods on the node: they start, say what they are, restart, and wait for what is missing, in Kubernetes' words."""

import sys
from pathlib import Path

import pytest

from lab.apimachinery.store import Object
from lab.kubelet import containers, restart_backoff
from lab.testing import messages, until
from lab.testing.pod_lab import GREETER, NAMESPACE, PodLab, container


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs of tenths of seconds."""
    monkeypatch.setattr(restart_backoff, "FIRST", 0.2)
    monkeypatch.setattr(containers, "SYNC", 0.05)


async def test_a_pod_runs_and_says_so(lab: PodLab) -> None:
    lab.create()
    await lab.ready()
    status = lab.status()
    node = lab.network.node
    assert (status["phase"], status["qosClass"]) == ("Running", "BestEffort")
    assert (status["hostIP"], status["hostIPs"]) == (node, [{"ip": node}])
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["podIP"].rpartition(".")[0] == node.rpartition(".")[0]
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [
        ("PodReadyToStartContainers", "True"),
        ("Initialized", "True"),
        ("Ready", "True"),
        ("ContainersReady", "True"),
    ]
    running = lab.container()
    started = running["state"]["running"]["startedAt"]
    assert started >= status["startTime"]
    assert (running["ready"], running["started"], running["restartCount"]) == (True, True, 0)
    assert running["image"] == "docker.io/library/greeter:dev"
    assert running["containerID"].startswith("lab://")
    for reason, message in [
        ("Pulled", 'Container image "greeter:dev" already present on machine'),
        ("Created", "Created container: app"),
        ("Started", "Started container app"),
    ]:
        assert messages(lab.store, reason) == [message]


async def test_the_node_is_registered_ready(lab: PodLab) -> None:
    node = lab.store.get("nodes", "", "lab")
    (ready,) = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
    assert ready["status"] == "True"
    assert {"type": "InternalIP", "address": lab.network.node} in node["status"]["addresses"]
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
    assert int(node["status"]["capacity"]["cpu"]) >= 1


async def test_a_pod_of_another_node_is_left_alone(lab: PodLab) -> None:
    meta = {"namespace": NAMESPACE, "name": "elsewhere"}
    lab.store.create("pods", {"metadata": meta, "spec": {"containers": [container("app")]}})
    lab.create()
    await lab.ready()
    assert lab.store.get("pods", NAMESPACE, "elsewhere").get("status") is None


@pytest.mark.parametrize(
    ("code", "phase", "reason", "initialized"),
    [(0, "Succeeded", "PodCompleted", "PodCompleted"), (3, "Failed", "PodFailed", None)],
)
async def test_a_pod_that_is_not_restarted_ends(
    lab: PodLab, code: int, phase: str, reason: str, initialized: str | None
) -> None:
    lab.create(command=["sh", "-c", f"exit {code}"], restartPolicy="Never")
    await lab.phase(phase)
    ended = lab.container()
    terminated = ended["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (code, "Completed" if code == 0 else "Error")
    assert terminated["containerID"] == ended["containerID"]
    assert (ended["ready"], ended["started"], ended["restartCount"], ended["lastState"]) == (False, False, 0, {})
    for kind in ("Ready", "ContainersReady"):
        condition = lab.condition(kind)
        assert (condition["status"], condition["reason"]) == ("False", reason)
    assert lab.condition("PodReadyToStartContainers")["status"] == "False"
    assert lab.condition("Initialized").get("reason") == initialized
    assert lab.status()["podIP"]


async def test_on_failure_restarts_until_success(lab: PodLab, tmp_path: Path) -> None:
    lab.create(
        command=["sh", "-c", f"[ -e {tmp_path}/again ] || {{ touch {tmp_path}/again; exit 1; }}"],
        restartPolicy="OnFailure",
    )
    await lab.phase("Succeeded")
    ended = lab.container()
    assert (ended["restartCount"], ended["state"]["terminated"]["exitCode"]) == (1, 0)
    assert ended["lastState"]["terminated"]["exitCode"] == 1


@pytest.mark.usefixtures("_impatient")
async def test_a_container_that_keeps_ending_waits_longer_and_longer(lab: PodLab) -> None:
    lab.create(command=["sh", "-c", "echo run; exit 3"])
    waiting = await lab.waiting("CrashLoopBackOff")
    pod = lab.store.get("pods", NAMESPACE, "p")
    name = f"p_{NAMESPACE}({pod['metadata']['uid']})"
    assert waiting["message"] == f"back-off 0s restarting failed container=app pod={name}"
    crashed = lab.container()
    assert crashed["restartCount"] == 1  # the first restart comes at once
    assert crashed["lastState"]["terminated"]["exitCode"] == 3
    assert lab.status()["phase"] == "Running"
    assert lab.condition("Ready")["message"] == "containers with unready status: [app]"
    assert messages(lab.store, "BackOff") == [f"Back-off restarting failed container app in pod {name}"]
    await until(lambda: lab.container()["restartCount"] == 3, "two more restarts")
    assert lab.log(restart=2) == "run\n"
    assert lab.log(restart=0) == ""  # only the last two are kept


async def test_back_off_doubles_up_to_five_minutes_and_is_forgotten_after_ten() -> None:
    backoff, delays = restart_backoff.RestartBackoff(), list[str]()
    for _ in range(8):
        ended = backoff._updated if delays else 0.0
        delays.append(restart_backoff.go_duration(backoff.delay(ended)))
        backoff.next(ended)
    assert delays == ["0s", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]
    assert backoff.delay(backoff._updated + 599) == 300
    assert backoff.delay(backoff._updated + 601) == 0


@pytest.mark.usefixtures("_impatient")
async def test_a_command_that_is_not_found_is_said_and_tried_again(lab: PodLab) -> None:
    lab.create(command=["nosuchprogram"])
    message = 'unable to start container process: exec: "nosuchprogram": executable file not found in $PATH'
    assert await lab.waiting("RunContainerError") == {"reason": "RunContainerError", "message": message}
    await lab.waiting("CrashLoopBackOff")
    terminated = lab.container()["lastState"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"], terminated["message"]) == ("StartError", 128, message)
    assert f"Error: {message}" in messages(lab.store, "Failed")


async def test_a_command_that_is_not_found_fails_a_pod_that_is_not_restarted(lab: PodLab) -> None:
    lab.create(command=["nosuchprogram"], restartPolicy="Never")
    await lab.phase("Failed")
    assert lab.container()["state"]["terminated"]["reason"] == "StartError"


@pytest.mark.usefixtures("_impatient")
async def test_an_unknown_image_is_said_with_the_remedy(lab: PodLab) -> None:
    lab.create(containers=[container("app", image="nginx:1.29"), container("other")])
    why = (
        'failed to pull and unpack image "docker.io/library/nginx:1.29": '
        "the lab pulls none; its images are greeter:dev and envoyproxy/envoy"
    )
    assert (await lab.waiting("ErrImagePull"))["message"] == why
    message = (await lab.waiting("ImagePullBackOff"))["message"]
    assert message == f'Back-off pulling image "nginx:1.29": ErrImagePull: {why}'
    assert lab.container()["restartCount"] == 0
    assert messages(lab.store, "Failed")[:2] == [f'Failed to pull image "nginx:1.29": {why}', "Error: ErrImagePull"]
    await until(lambda: lab.container("other")["ready"], "the other container runs all the same")
    assert lab.status()["phase"] == "Pending"


async def test_a_missing_key_is_said_and_waited_for(lab: PodLab) -> None:
    env = [{"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "greeting"}}}]
    lab.create(
        containers=[container("app", ["sh", "-c", "echo $GREETING; sleep 600"], env=env)],
        terminationGracePeriodSeconds=0,
    )
    waiting = {"reason": "CreateContainerConfigError", "message": 'configmap "words" not found'}
    assert await lab.waiting("CreateContainerConfigError") == waiting
    assert messages(lab.store, "Failed") == ['Error: configmap "words" not found']
    lab.config_map("words", greeting="hello")
    await lab.logged("hello")
    await lab.ready()


async def test_a_missing_volume_is_said_and_waited_for(lab: PodLab) -> None:
    volumes = [{"name": "config", "configMap": {"name": "words"}}]
    mounts = [{"name": "config", "mountPath": "/etc/words"}]
    lab.create(containers=[container("app", ["cat", "/etc/words/greeting"], volumeMounts=mounts)], volumes=volumes)
    message = 'MountVolume.SetUp failed for volume "config" : configmap "words" not found'
    await until(lambda: message in messages(lab.store, "FailedMount"), "FailedMount")
    assert lab.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
    lab.config_map("words", greeting="hello")
    await lab.logged("hello")


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


async def test_an_updated_configmap_is_seen_by_a_running_container(lab: PodLab) -> None:
    lab.config_map("words", greeting="hello")
    volumes = [{"name": "config", "configMap": {"name": "words"}}]
    mounts = [{"name": "config", "mountPath": "/etc/words"}]
    script = "trap 'exit 0' TERM; while :; do cat /etc/words/greeting; echo; sleep .05; done"
    lab.create(containers=[container("app", ["sh", "-c", script], volumeMounts=mounts)], volumes=volumes)
    await lab.logged("hello")
    lab.store.mutate("configmaps", NAMESPACE, "words", lambda words: words["data"].update(greeting="goodbye"))
    await lab.logged("goodbye")


async def test_a_containers_environment_is_clean(lab: PodLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    pod_ip: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    listen: Object = {"name": "LISTEN", "value": "0.0.0.0:80"}
    lab.create(containers=[container("app", ["env"], env=[pod_ip, listen])], restartPolicy="Never")
    await lab.phase("Succeeded")
    found = dict(line.split("=", 1) for line in lab.log().splitlines())
    own = {"PATH", "PYTHONUNBUFFERED", "HOSTNAME", "HOME", "TMPDIR", "KUBECONFIG", "POD_IP", "LISTEN"}
    assert set(found) - {"LD_LIBRARY_PATH"} == own
    ip = lab.status()["podIP"]
    assert (found["HOSTNAME"], found["POD_IP"], found["LISTEN"]) == ("p", ip, f"{ip}:10080")
    assert found["PATH"].startswith(str(Path(sys.executable).parent))
    for variable in ("HOME", "TMPDIR", "KUBECONFIG"):
        assert found[variable].startswith(str(lab.state))
    mode, text = _mode_and_text(found["KUBECONFIG"])
    assert mode == 0o600
    assert f"namespace: {NAMESPACE}" in text


def _mode_and_text(path: str) -> tuple[int, str]:
    return Path(path).stat().st_mode & 0o777, Path(path).read_text()


async def test_a_pod_that_wants_no_token_gets_no_kubeconfig(lab: PodLab) -> None:
    lab.create(command=["env"], restartPolicy="Never", automountServiceAccountToken=False)
    await lab.phase("Succeeded")
    assert "KUBECONFIG" not in lab.log()
    assert "HOSTNAME=p" in lab.log()


async def test_a_container_without_a_command_runs_its_images(lab: PodLab) -> None:
    lab.create(containers=[{"name": "app", "image": GREETER}], restartPolicy="Never")
    await lab.phase("Succeeded")  # Python with nothing to read


async def test_a_container_works_where_it_is_told_to_in_its_volumes_too(lab: PodLab) -> None:
    lab.config_map("words", greeting="hello")
    volume = {"name": "words", "configMap": {"name": "words", "items": [{"key": "greeting", "path": "en/hi"}]}}
    mounts = [{"name": "words", "mountPath": "etc/words/"}]  # at the root all the same
    spec = container("app", ["cat", "hi"], volumeMounts=mounts, workingDir="/etc/words/en/")
    lab.create(containers=[spec], volumes=[volume], restartPolicy="Never")
    await lab.phase("Succeeded")
    assert lab.log() == "hello\n"


async def test_commands_and_args_are_expanded_and_adapted(lab: PodLab) -> None:
    spec = container("app", ["echo", "$(WHO)", "$$(WHO)"], args=["--address=$(POD_IP):8000", "--bind=0.0.0.0:8000"])
    spec["env"] = [
        {"name": "WHO", "value": "me"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    lab.create(containers=[spec], restartPolicy="Never")
    await lab.phase("Succeeded")
    ip = lab.status()["podIP"]
    assert lab.log() == f"me $(WHO) --address={ip}:8000 --bind={ip}:8000\n"


async def test_a_greeter_is_ready_in_well_under_two_seconds(lab: PodLab) -> None:
    probe = {"grpc": {"port": 8000}, "periodSeconds": 1, "failureThreshold": 60}
    spec = container("app", [*["python", "-m", "greeter_server"], "--address=0.0.0.0:8000"], image=GREETER)
    lab.create(containers=[spec | {"startupProbe": probe, "readinessProbe": probe}])
    await lab.ready(within=10)  # on an idle machine 0.5 s; `make bench` has the figures
    assert lab.container()["started"] is True


async def test_a_container_that_ends_by_itself_is_restarted_though_it_succeeded(lab: PodLab, tmp_path: Path) -> None:
    script = f"[ -e {tmp_path}/again ] && exec sleep 600; touch {tmp_path}/again"
    lab.create(command=["sh", "-c", script], terminationGracePeriodSeconds=0)
    await until(lambda: lab.container().get("restartCount") == 1 and lab.container()["ready"], "it runs again")
    terminated = lab.container()["lastState"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (0, "Completed")
