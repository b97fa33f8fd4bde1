"""Init containers, native sidecars and probes of pods on the node."""

from pathlib import Path
from typing import Any

import pytest

from lab.apimachinery.store import Object
from lab.testing import messages, until
from lab.testing.pod_lab import PodLab, container

SCRATCH: Object = {"volumes": [{"name": "scratch", "emptyDir": {}}], "terminationGracePeriodSeconds": 10}
MOUNT: Object = {"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}
SAY = "echo $(date +%s%N) {} >> /scratch/order"


def sh(name: str, script: str, **spec: Any) -> Object:
    return container(name, ["sh", "-c", script], **MOUNT, **spec)


def stays(name: str, **spec: Any) -> Object:
    """A container that says when it starts and when it is told to end."""
    start, end = SAY.format(f"{name}-starts"), SAY.format(f"{name}-ends")
    return sh(name, f"{start}; trap '{end}; exit 0' TERM; while :; do sleep .05; done", **spec)


def order(lab: PodLab) -> list[str]:
    """What containers have said, in the order in which they did."""
    found = list((lab.state / "pods").glob("*/volumes/scratch/order"))
    return [line.split()[1] for line in found[0].read_text().splitlines()] if found else []


async def test_init_containers_run_in_order_before_the_others(lab: PodLab) -> None:
    init = [sh("one", SAY.format("one")), sh("two", SAY.format("two"))]
    lab.create(initContainers=init, containers=[stays("app")], **SCRATCH)
    await lab.ready()
    await until(lambda: len(order(lab)) == 3, "all have spoken")
    assert order(lab) == ["one", "two", "app-starts"]
    status = lab.status()
    assert [c["name"] for c in status["initContainerStatuses"]] == ["one", "two"]
    for init_status in status["initContainerStatuses"]:
        assert init_status["state"]["terminated"]["reason"] == "Completed"
        assert (init_status["ready"], init_status["started"]) == (True, False)


async def test_while_an_init_container_runs_the_others_wait(lab: PodLab) -> None:
    lab.create(initContainers=[container("prepare")], containers=[container("app")])
    await lab.logged("idle", "prepare")
    assert lab.status()["phase"] == "Pending"
    assert lab.container("app")["state"] == {"waiting": {"reason": "PodInitializing"}}
    initialized = lab.condition("Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [prepare]"


async def test_an_init_container_is_tried_again_until_it_succeeds(lab: PodLab) -> None:
    once = sh("prepare", "[ -e /scratch/again ] || { touch /scratch/again; exit 1; }")
    lab.create(initContainers=[once], containers=[stays("app")], **SCRATCH)
    await lab.ready()
    assert lab.container("prepare")["restartCount"] == 1


async def test_a_failed_init_container_fails_a_pod_that_is_not_restarted(lab: PodLab) -> None:
    init = [stays("proxy", restartPolicy="Always"), sh("prepare", "exit 2")]
    lab.create(initContainers=init, containers=[container("app")], restartPolicy="Never", **SCRATCH)
    await lab.phase("Failed")
    assert lab.container("prepare")["state"]["terminated"]["exitCode"] == 2
    await until(lambda: "terminated" in lab.container("proxy")["state"], "the sidecar has ended")
    assert lab.container("app")["state"] == {"waiting": {"reason": "PodInitializing"}}


async def test_sidecars_start_before_and_end_after_the_others_in_reverse_order(lab: PodLab) -> None:
    sidecars = [stays("first", restartPolicy="Always"), stays("second", restartPolicy="Always")]
    lab.create(initContainers=[*sidecars, sh("prepare", SAY.format("prepare"))], containers=[stays("app")], **SCRATCH)
    await lab.ready()
    await until(lambda: len(order(lab)) == 4, "all have spoken")
    said: list[str] = []
    lab.delete()
    await until(lambda: said.__setitem__(slice(None), order(lab) or said) or lab.store.list("pods") == [], "it is gone")
    assert said[3] == "app-starts"
    assert set(said[:2]) == {"first-starts", "second-starts"}
    assert said[4:] == ["app-ends", "second-ends", "first-ends"]


async def test_the_next_container_waits_until_a_sidecar_has_started(lab: PodLab) -> None:
    probe = {"exec": {"command": ["test", "-e", "/scratch/open"]}, "periodSeconds": 1, "failureThreshold": 30}
    proxy = stays("proxy", restartPolicy="Always", startupProbe=probe)
    lab.create(initContainers=[proxy], containers=[stays("app")], **SCRATCH)
    await until(lambda: messages(lab.store, "Unhealthy"), "its startup probe has failed once")
    assert lab.container("proxy")["started"] is False
    assert "waiting" in lab.container("app")["state"]
    (next((lab.state / "pods").glob("*/volumes/scratch")) / "open").touch()
    await lab.ready()
    assert lab.container("proxy")["started"] is True


async def test_a_sidecar_counts_for_readiness_and_not_for_completion(lab: PodLab) -> None:
    probe = {"exec": {"command": ["test", "-e", "/scratch/open"]}, "periodSeconds": 1}
    proxy = stays("proxy", restartPolicy="Always", readinessProbe=probe)
    work = sh("work", "while [ ! -e /scratch/done ]; do sleep .05; done")
    lab.create(initContainers=[proxy], containers=[work], restartPolicy="Never", **SCRATCH)
    await until(lambda: lab.container("work").get("ready"), "the container is ready")
    assert lab.condition("Ready")["message"] == "containers with unready status: [proxy]"
    scratch = next((lab.state / "pods").glob("*/volumes/scratch"))
    (scratch / "open").touch()
    await lab.ready()
    (scratch / "done").touch()
    await lab.phase("Succeeded")
    assert lab.container("proxy")["state"]["terminated"]["exitCode"] == 0


async def test_a_sidecar_is_restarted_also_where_the_pod_is_not(lab: PodLab) -> None:
    proxy = sh("proxy", "[ -e /scratch/again ] && exec sleep 600; touch /scratch/again", restartPolicy="Always")
    spec = SCRATCH | {"terminationGracePeriodSeconds": 0}
    lab.create(initContainers=[proxy], containers=[container("app")], restartPolicy="Never", **spec)
    await until(lambda: lab.container("proxy").get("restartCount") == 1, "it runs again")


async def test_readiness_comes_and_goes_with_its_probe(lab: PodLab) -> None:
    probe = {"exec": {"command": ["test", "-e", "/scratch/open"]}, "periodSeconds": 1, "failureThreshold": 1}
    lab.create(containers=[stays("app", readinessProbe=probe)], **SCRATCH)
    await until(lambda: lab.container().get("started"), "it has started")
    assert (lab.container()["ready"], lab.status()["phase"]) == (False, "Running")
    ready = lab.condition("Ready")
    assert (ready["reason"], ready["message"]) == ("ContainersNotReady", "containers with unready status: [app]")
    door = next((lab.state / "pods").glob("*/volumes/scratch")) / "open"
    door.touch()
    await lab.ready()
    door.unlink()
    await lab.ready(ready=False)
    assert lab.container()["restartCount"] == 0


@pytest.mark.parametrize("kind", ["liveness", "startup"])
async def test_a_failed_probe_restarts_the_container(lab: PodLab, kind: str) -> None:
    probe = {"tcpSocket": {"port": 8111}, "initialDelaySeconds": 1, "failureThreshold": 1}
    spec: Object = {f"{kind}Probe": probe}
    lab.create(containers=[container("app", **spec)])
    await until(lambda: lab.container().get("restartCount"), "it is restarted")
    ip = lab.status()["podIP"]
    failure = f"{kind.title()} probe failed: dial tcp {ip}:8111: connect: connection refused"
    assert messages(lab.store, "Unhealthy") == [failure]
    assert messages(lab.store, "Killing")[0] == f"Container app failed {kind} probe, will be restarted"
    assert lab.container()["lastState"]["terminated"]["exitCode"] == 0  # it heeded SIGTERM


async def test_until_the_startup_probe_passes_the_others_are_not_made(lab: PodLab) -> None:
    startup = {"exec": {"command": ["test", "-e", "/scratch/up"]}, "periodSeconds": 1, "failureThreshold": 60}
    liveness = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    lab.create(containers=[stays("app", startupProbe=startup, livenessProbe=liveness)], **SCRATCH)
    await until(lambda: messages(lab.store, "Unhealthy"), "a probe has failed")
    assert messages(lab.store, "Unhealthy") == ["Startup probe failed: "]
    assert (lab.container()["started"], lab.container()["ready"]) == (False, False)
    (next((lab.state / "pods").glob("*/volumes/scratch")) / "up").touch()
    await until(lambda: "Liveness probe failed: " in messages(lab.store, "Unhealthy"), "liveness is asked")


async def test_an_exec_probe_runs_in_the_container(lab: PodLab) -> None:
    check = 'test "$WHO" = me && test -d /scratch && test "$0" = "$POD_IP"'
    probe = {"exec": {"command": ["sh", "-c", check, "0.0.0.0"]}}  # noqa: S104 (adapted as in args)
    env = [{"name": "WHO", "value": "me"}, {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    lab.create(containers=[stays("app", readinessProbe=probe, env=env)], **SCRATCH)
    await lab.ready()


async def test_a_failed_post_start_hook_restarts_the_container(lab: PodLab) -> None:
    hook = {
        "postStart": {"exec": {"command": ["sh", "-c", "[ -e /scratch/again ] || { touch /scratch/again; exit 3; }"]}}
    }
    lab.create(containers=[stays("app", lifecycle=hook)], **SCRATCH)
    await until(lambda: lab.container().get("restartCount") == 1 and lab.container()["ready"], "it runs again")
    assert messages(lab.store, "FailedPostStartHook") == ["PostStartHook failed"]
    assert messages(lab.store, "Killing") == ["FailedPostStartHook"]


async def test_the_next_container_waits_for_a_post_start_hook(lab: PodLab, tmp_path: Path) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", f"while [ ! -e {tmp_path}/go ]; do sleep .05; done"]}}}
    lab.create(containers=[stays("one", lifecycle=hook), stays("two")], **SCRATCH)
    await until(lambda: "one-starts" in order(lab), "the first runs")
    assert lab.container("two")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    (tmp_path / "go").touch()
    await lab.ready()
