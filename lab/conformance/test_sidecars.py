"""Init containers, one after the other, and native sidecars, which start among them and end last (KEP-753)."""

import asyncio
from typing import Any

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, job, pod, python
from lab.conformance.states import condition, finished, holds, phase, ready, status_of, terminated, waiting

NOTES: Object = {"volumes": [{"name": "notes", "emptyDir": {}}]}
MOUNT: Object = {"volumeMounts": [{"name": "notes", "mountPath": "/notes"}]}
NOTE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ')"
READ = "import sys; print(open(sys.argv[1]).read())"
# Notes its name (argument 2) in the file of argument 1 when it starts, and when it is told to stop.
SIDECAR = """
import signal, sys, time
def note(text):
    with open(sys.argv[1], "a") as notes:
        notes.write(text + " ")
def stop(*_):
    time.sleep(float(sys.argv[3]))
    note("-" + sys.argv[2])
    print(open(sys.argv[1]).read(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("+" + sys.argv[2])
while True:
    time.sleep(0.1)
"""


def note(name: str, **fields: Any) -> Object:
    return container(python(NOTE, "/notes/n", name), name, **MOUNT, **fields)


def sidecar(name: str, *, slow: float = 0, **fields: Any) -> Object:
    has_noted = "import sys; sys.exit('+' + sys.argv[2] not in open(sys.argv[1]).read())"
    probe = {"exec": {"command": python(has_noted, "/notes/n", name)}, "periodSeconds": 1, "failureThreshold": 30}
    command = python(SIDECAR, "/notes/n", name, str(slow))
    return container(command, name, restartPolicy="Always", startupProbe=probe, **MOUNT, **fields)


async def test_init_containers_run_one_after_the_other_before_the_others(api: Api) -> None:
    reads = container(python(READ, "/notes/n"), **MOUNT)
    await api.create(
        "pods", pod("web", reads, initContainers=[note("one"), note("two")], restartPolicy="Never", **NOTES)
    )
    done = await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == "one two \n"
    for name in ("one", "two"):
        assert terminated(done, name, "initContainerStatuses")["exitCode"] == 0
        assert status_of(done, name, "initContainerStatuses")["ready"]


async def test_an_init_container_that_fails_holds_the_pod_back(api: Api) -> None:
    fails = container(python("raise SystemExit(1)"), "fails")
    await api.create("pods", pod("web", container(SLEEP), initContainers=[fails]))
    reason = "CrashLoopBackOff"
    seen = await api.until_one(
        "pods", "web", lambda p: waiting(p, "fails", "initContainerStatuses").get("reason") == reason, reason
    )
    assert phase(seen) == "Pending"
    assert condition(seen, "Initialized")["reason"] == "ContainersNotInitialized"
    assert condition(seen, "Initialized")["message"] == "containers with incomplete status: [fails]"
    assert waiting(seen) == {"reason": "PodInitializing"}


async def test_an_init_container_that_fails_fails_a_pod_that_never_restarts(api: Api) -> None:
    fails = container(python("raise SystemExit(1)"), "fails")
    await api.create("pods", pod("web", container(SLEEP), initContainers=[fails], restartPolicy="Never"))
    done = await api.until_one("pods", "web", finished, "is finished")
    assert phase(done) == "Failed"
    assert waiting(done) == {"reason": "PodInitializing"}


async def test_a_sidecar_has_started_up_before_what_comes_after_it(api: Api) -> None:
    reads = container(python(READ, "/notes/n"), **MOUNT)
    inits = [note("before"), sidecar("proxy"), note("after")]
    await api.create("pods", pod("web", reads, initContainers=inits, restartPolicy="Never", **NOTES))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == "before +proxy after \n"


async def test_a_sidecar_does_not_keep_a_job_from_completing(api: Api) -> None:
    await api.create("jobs", job("once", python("print('done')"), {"initContainers": [sidecar("proxy")], **NOTES}))
    await api.until_one("jobs", "once", lambda j: holds(j, "Complete"), "completes")
    (done,) = (await api.list("pods"))["items"]
    assert terminated(done, "proxy", "initContainerStatuses")["exitCode"] == 0


async def test_a_sidecar_counts_for_the_pods_readiness(api: Api) -> None:
    failing = {"exec": {"command": python("raise SystemExit(1)")}, "periodSeconds": 1}
    inits = [sidecar("proxy", readinessProbe=failing)]
    await api.create("pods", pod("web", container(SLEEP), initContainers=inits, **NOTES))
    seen = await api.until_one("pods", "web", lambda p: status_of(p).get("ready"), "its container is ready")
    assert status_of(seen, "proxy", "initContainerStatuses")["started"]
    assert not ready(seen)
    assert condition(seen, "Ready")["message"] == "containers with unready status: [proxy]"


async def test_a_sidecar_is_restarted_by_itself(api: Api) -> None:
    fails = container(python("import time; time.sleep(2); raise SystemExit(1)"), "fails", restartPolicy="Always")
    await api.create("pods", pod("web", container(SLEEP), initContainers=[fails]))

    def restarted(obj: Object) -> bool:
        return bool(status_of(obj, "fails", "initContainerStatuses").get("restartCount"))

    seen = await api.until_one("pods", "web", restarted, "is restarted")
    assert status_of(seen)["restartCount"] == 0


async def test_sidecars_end_after_the_others_and_in_reverse_order(api: Api) -> None:
    inits = [sidecar("first"), sidecar("second")]
    main = sidecar("main", slow=1)
    del main["restartPolicy"]
    obj = pod("web", main, initContainers=inits, terminationGracePeriodSeconds=20, **NOTES)
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    await api.create("pods", obj)
    await api.until_one("pods", "web", ready, "is ready")
    # Followed, for a cluster removes the containers of a pod that is to go as soon as they have ended, log and all.
    async with api.follow("web", container="first") as lines, asyncio.timeout(60):
        await api.delete("pods", "web")
        noted = "".join([line async for line in lines]).split()
    assert noted == ["+first", "+second", "+main", "-main", "-second", "-first"]
