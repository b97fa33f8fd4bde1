"""The real kubectl where the lab has not what it asks for: it says so in a sentence, and never panics."""

import asyncio
import os
from asyncio.subprocess import PIPE

import pytest

from lab.apimachinery.store import Object
from lab.kubelet.podlogs import log_path
from lab.testing import set_status, until
from lab.testing.hollow import HollowLab
from lab.testing.kubectl import MISSING, Kubectl

pytestmark = pytest.mark.skipif(MISSING, reason="kubectl is not on PATH")

NOTHING_THERE = "the server could not find the requested resource: the lab has no /"
REFUSED = {
    "autoscale deployment web --min=1 --max=2": "autoscaling/v",
    "create cronjob c --image=greeter:dev --schedule=@daily": f"{NOTHING_THERE}apis/batch/v1/",
    "create token default": "the lab has no serviceaccounts/token: pods and clients use the token",
    "debug pod/solo --image=greeter:dev": "the lab has no pods/ephemeralcontainers: run what you need on this machine",
    "debug pod/solo --image=greeter:dev --copy-to=b": "the lab reads no Pod in protobuf, which this command sends",
    "debug -it node/lab --image=greeter:dev": "the lab reads no Pod in protobuf, which this command sends; write it in",
    "get --raw /metrics": f"{NOTHING_THERE}metrics",
    "get --raw /openapi/v2": "the lab has OpenAPI v3 only: kubectl get --raw /openapi/v3",
    "get --raw /nope": f"{NOTHING_THERE}nope; kubectl api-resources lists the kinds that it has",
    "get --raw /api/v1/namespaces/default/services/kubernetes/proxy/": "the lab has no services/proxy: connect to",
    "get hpa": "the server doesn't have a resource type",
    "patch pod solo --subresource=ephemeralcontainers -p {}": "the lab has no pods/ephemeralcontainers",
    "top node": "Metrics API not available",
    "top pod": "Metrics API not available",
}


async def test_what_the_lab_has_not_is_said_with_a_remedy(kubectl: Kubectl) -> None:
    await kubectl("create", "deployment", "web", "--image=greeter:dev")
    await kubectl("run", "solo", "--image=greeter:dev")
    await kubectl("wait", "pod/solo", "--for=condition=Ready", "--timeout=20s")
    for command, sentence in REFUSED.items():
        said = await kubectl(*command.split(), fails=True)
        assert (said.status, sentence in said.err, "goroutine" in said.err) == (1, True, False), (command, said)


async def test_run_shows_all_of_its_output_though_it_ended_before_anybody_could_attach(
    lab: HollowLab, kubectl: Kubectl
) -> None:
    command = ("kubectl", "run", "solo", "-i", "--rm", "--image=greeter:dev")
    environment = os.environ | {"KUBECONFIG": str(lab.kubeconfig)}
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment)
    try:
        assert process.stdout
        for word in (b"one\n", b"two\n", b"three\n"):
            assert await asyncio.wait_for(process.stdout.readline(), 20) == word
        pod = lab.store.get("pods", "default", "solo")
        with log_path(lab.state, pod, "solo", 0).open("a") as log:
            log.write("2026-01-02T03:04:09.000000000Z four\n")
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"four\n"
        set_status(lab.store, pod, containerStatuses=[ended(pod)])
        out, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, out.startswith(b'pod "solo" deleted')) == (0, True), out
    assert (
        b"couldn't attach to pod/solo, falling back to streaming logs: Internal error occurred: unable to upgrade"
        in err
    )
    await until(lambda: lab.store.find("pods", "default", "solo") is None, "the pod is gone")


def ended(pod: Object) -> Object:
    terminated = {"exitCode": 0, "startedAt": None, "finishedAt": None}
    status: Object = pod["status"]["containerStatuses"][0]
    return status | {"state": {"terminated": terminated}}
