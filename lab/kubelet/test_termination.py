"""How pods end: preStop, SIGTERM, grace, SIGKILL; and that nothing is left of them, whatever they or the lab did."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.network import Network
from lab.testing import messages, until
from lab.testing.pod_lab import NAMESPACE, PodLab, container, listening, processes

DEAF = ["sh", "-c", "trap 'echo heard' TERM; echo idle; while :; do sleep .05; done"]  # hears SIGTERM and stays
DAEMON = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(600)"


def deaf_daemon(port: int) -> list[str]:
    """A program that forks, daemonizes, listens, and ignores SIGTERM."""
    script = f"""
import os, signal, socket, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {DAEMON!r}])
listener = socket.create_server((sys.argv[1].split(":")[0], {port}))
for _ in range(2):
    if os.fork() == 0:
        time.sleep(600)
print("forked", flush=True)
time.sleep(600)
"""
    return ["python", "-c", script, "0.0.0.0:0"]


async def test_a_pre_stop_hook_ends_with_its_container(lab: PodLab, tmp_path: Path) -> None:
    hook = {"preStop": {"sleep": {"seconds": 25}}}
    script = f"echo idle; while [ ! -e {tmp_path}/end ]; do sleep .05; done"
    lab.create(containers=[container("app", ["sh", "-c", script], lifecycle=hook)])
    await lab.logged("idle")
    lab.delete()
    await until(lambda: messages(lab.store, "Killing"), "it is being stopped")
    (tmp_path / "end").touch()
    await lab.gone()


async def test_whoever_is_in_more_of_a_hurry_is_heeded(lab: PodLab) -> None:
    lab.create(command=DEAF)
    await lab.logged("idle")
    lab.delete(grace=600)
    await lab.logged("heard")
    start = time.monotonic()
    lab.delete(grace=1)
    await lab.gone()
    assert 0.9 <= time.monotonic() - start < 10


async def test_a_pod_deleted_by_force_is_stopped_too(lab: PodLab) -> None:
    lab.create()
    await lab.logged("idle")
    ip = lab.status()["podIP"]
    lab.delete(grace=0)
    assert lab.store.find("pods", NAMESPACE, "p") is None
    await until(lambda: lab.processes() == [], "its processes have ended")
    await until(lambda: not list((lab.state / "pods").iterdir()), "its directory is gone")
    assert ip in lab.network._free
    lab.create(command=["sh", "-c", "echo again; sleep 600"], terminationGracePeriodSeconds=0)  # the name is free
    await lab.logged("again")


async def test_a_pod_that_waits_is_deleted_at_once(lab: PodLab) -> None:
    lab.create("no-image", containers=[container("app", image="nosuch:1")])
    lab.create("crashing", command=["false"])
    mounts = [{"name": "x", "mountPath": "/x"}]
    volumes = [{"name": "x", "configMap": {"name": "nosuch"}}]
    lab.create("no-volume", containers=[container("app", volumeMounts=mounts)], volumes=volumes)
    await until(lambda: messages(lab.store, "BackOff") and messages(lab.store, "FailedMount"), "they wait")
    for name in ("no-image", "crashing", "no-volume"):
        lab.delete(name)
        await lab.gone(name)


async def test_a_pod_that_the_kubelet_fails_at_can_be_deleted(
    lab: PodLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("lab.kubelet.container_config.generate", fail)
    lab.create()
    await until(lambda: "container app of pod shop/p can't be looked after any more" in caplog.text, "it is said")
    lab.delete()
    await lab.gone()


# What `python -m lab` is to the operating system: one process that runs a kubelet and is killed.
LAB = """
import asyncio, pathlib, signal, sys
from lab.testing.pod_lab import pod_lab
from lab.kubelet.test_termination import deaf_daemon

async def main():
    async with pod_lab(pathlib.Path(sys.argv[1])) as lab:
        lab.create("forks", command=deaf_daemon(8000))
        lab.create("greeter", command=["python", "-m", "greeter_server", "--address=0.0.0.0:8000"])
        await lab.logged("forked", pod="forks")
        await lab.logged("Listening", pod="greeter")
        print(lab.network.node, flush=True)
        await asyncio.Event().wait()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
asyncio.run(main())
"""


@pytest.fixture
def dying_lab(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", LAB, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill-9", "ctrl-c"])
async def test_nothing_outlives_the_lab(
    dying_lab: "subprocess.Popen[str]", tmp_path: Path, number: signal.Signals
) -> None:
    assert dying_lab.stdout
    node = dying_lab.stdout.readline().strip()
    assert node, "it has started"
    await until(lambda: len(processes(tmp_path)) >= 5, "their children run too")
    assert {address.rpartition(":")[2] for address in listening(node)} >= {"8000"}
    dying_lab.send_signal(number)
    await until(lambda: processes(tmp_path) == [] and listening(node) == [], "nothing is left")
    Network.take().close()
