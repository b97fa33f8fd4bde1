"""How a pod ends: preStop, SIGTERM, grace, SIGKILL. A finalizer keeps it, with its log, to be looked at."""

import asyncio
from typing import Any

import pytest

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, pod, python
from lab.conformance.states import condition, holds, phase, ready, terminated

# Says when it is told to stop, and does what the code of argument 1 says.
ON_SIGTERM = """
import signal, sys, time
def stop(*_):
    print("SIGTERM", flush=True)
    exec(sys.argv[1])
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""
APPEND = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ')"
ENDS = python(ON_SIGTERM, "sys.exit(0)")


def on_sigterm(code: str) -> list[str]:
    return python(ON_SIGTERM, code)


def held(*containers: Object, grace: int = 20, **spec: Any) -> Object:
    """A pod that stays in the API when it has ended."""
    obj = pod("web", *containers, terminationGracePeriodSeconds=grace, **spec)
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    return obj


async def begin(api: Api, obj: Object) -> None:
    """Run the pod until each of its containers has said that it is ready to be told to stop."""
    await api.create("pods", obj)
    await api.until_one("pods", "web", ready, "is ready")
    for each in obj["spec"]["containers"]:
        if each["command"] != SLEEP:
            async with api.follow("web", container=each["name"]) as lines, asyncio.timeout(20):
                assert await anext(lines) == "ready"


async def end(api: Api, **options: Any) -> Object:
    """Delete the pod and return it as it is when all its containers have ended."""
    await api.delete("pods", "web", **options)

    def ended(obj: Object) -> bool:
        names = [each["name"] for each in obj["spec"]["containers"]]
        return phase(obj) in ("Succeeded", "Failed") and all(terminated(obj, name) for name in names)

    return await api.until_one("pods", "web", ended, "has ended")


async def end_heard(api: Api, *containers: str) -> tuple[Object, list[str]]:
    """`end`, and each container's whole log: followed, for a kubelet removes that with what has ended."""
    begun = [asyncio.Event() for _ in containers]

    async def follow(container: str, began: asyncio.Event) -> str:
        text = ""
        async with api.follow("web", container=container) as lines:
            async for line in lines:
                began.set()
                text += f"{line}\n"
        return text

    async with asyncio.TaskGroup() as group:
        logs = [group.create_task(follow(*each)) for each in zip(containers, begun, strict=True)]
        for began in begun:
            await began.wait()
        ended = await end(api)
    return ended, [log.result() for log in logs]


async def test_a_container_is_told_to_stop_and_ends_in_its_own_time(api: Api) -> None:
    await begin(api, held(container(on_sigterm("time.sleep(2); print('bye', flush=True); sys.exit(0)"))))
    ended, logs = await end_heard(api, "main")
    assert logs == ["ready\nSIGTERM\nbye\n"]
    assert (terminated(ended)["exitCode"], terminated(ended)["reason"]) == (0, "Completed")
    assert phase(ended) == "Succeeded"


async def test_a_container_that_does_not_stop_is_killed_when_its_grace_is_over(api: Api) -> None:
    await begin(api, held(container(on_sigterm("pass")), grace=2))
    ended, logs = await end_heard(api, "main")
    assert logs == ["ready\nSIGTERM\n"]
    assert (terminated(ended)["exitCode"], terminated(ended)["reason"]) == (137, "Error")
    assert phase(ended) == "Failed"


async def test_a_container_without_a_handler_does_not_hear_sigterm(api: Api) -> None:
    """It is pid 1 of its own, which the kernel shields from signals that it does not handle."""
    await begin(api, held(container(SLEEP), grace=2))
    assert terminated(await end(api))["exitCode"] == 137


async def test_the_grace_can_be_given_with_the_deletion(api: Api) -> None:
    await begin(api, held(container(on_sigterm("pass")), grace=3600))
    ended = await end(api, gracePeriodSeconds=1)
    assert ended["metadata"]["deletionGracePeriodSeconds"] == 1
    assert terminated(ended)["exitCode"] == 137


async def test_pre_stop_runs_before_sigterm(api: Api) -> None:
    volumes: list[Object] = [{"name": "notes", "emptyDir": {}}]
    mount: Object = {"volumeMounts": [{"name": "notes", "mountPath": "/notes"}]}
    hook = {"preStop": {"exec": {"command": python(APPEND, "/notes/n", "preStop")}}}
    code = "open(sys.argv[2], 'a').write('SIGTERM'); print(open(sys.argv[2]).read()); sys.exit(0)"
    main = container(python(ON_SIGTERM, code, "/notes/n"), lifecycle=hook, **mount)
    await begin(api, held(main, volumes=volumes))
    _, logs = await end_heard(api, "main")
    assert logs == ["ready\nSIGTERM\npreStop SIGTERM\n"]


async def test_pre_stop_can_sleep_while_the_container_goes_on(api: Api) -> None:
    code = "import time; print(round(time.monotonic() - began)); sys.exit(0)"
    counts = ON_SIGTERM.replace("while True:", "began = time.monotonic()\nwhile True:").replace(
        "    time.sleep(0.1)", "    print('.', end='', flush=True); time.sleep(0.5)"
    )
    main = container(python(counts, code), lifecycle={"preStop": {"sleep": {"seconds": 3}}})
    await begin(api, held(main))
    before = await api.logs("web")
    ended, [log] = await end_heard(api, "main")
    lines = log.splitlines()
    assert lines[1].count(".") >= before.count(".") + 4  # two a second, for three seconds
    assert lines[1].endswith("SIGTERM")
    assert terminated(ended)["exitCode"] == 0


async def test_pre_stop_counts_against_the_grace(api: Api) -> None:
    hook = {"preStop": {"exec": {"command": SLEEP}}}
    await begin(api, held(container(on_sigterm("print('heard', flush=True)"), lifecycle=hook), grace=2))
    ended, logs = await end_heard(api, "main")
    assert logs == ["ready\nSIGTERM\nheard\n"]
    assert terminated(ended)["exitCode"] == 137


@pytest.mark.parametrize(
    "hook",
    [
        {"exec": {"command": python("raise SystemExit(1)")}},
        {"exec": {"command": ["nosuch"]}},
        {"httpGet": {"port": 9999, "path": "/", "scheme": "HTTP"}},
    ],
    ids=["fails", "not-found", "refused"],
)
async def test_a_pre_stop_that_fails_is_told_and_does_not_stop_the_end(api: Api, hook: Object) -> None:
    await begin(api, held(container(ENDS, lifecycle={"preStop": hook})))
    ended = await end(api)
    assert terminated(ended)["exitCode"] == 0
    said = {"reason": "FailedPreStopHook", "message": "PreStopHook failed"}
    await api.until("events", lambda events: [e for e in events if e.items() >= said.items()], "FailedPreStopHook")


async def test_all_containers_are_told_to_stop_at_once(api: Api) -> None:
    slow = on_sigterm("print(time.time(), flush=True); time.sleep(2); sys.exit(0)")
    await begin(api, held(container(slow, "one"), container(slow, "two")))
    _, logs = await end_heard(api, "one", "two")
    told = [float(log.split()[2]) for log in logs]
    assert abs(told[0] - told[1]) < 1.5


async def test_a_pod_that_ends_is_not_ready_any_more_but_runs_until_it_has(api: Api) -> None:
    await begin(api, held(container(on_sigterm("time.sleep(2); sys.exit(0)"))))
    async with api.recording("pods") as recording:
        await end(api)
        await recording.until(lambda pods: phase(pods[0]) == "Succeeded", "the pod has ended")
    seen = [event["object"] for event in recording.events]
    assert "deletionTimestamp" in seen[0]["metadata"]
    assert (phase(seen[0]), holds(seen[0], "Ready")) == ("Running", True)
    assert condition(seen[-1], "Ready")["status"] == "False"


async def test_a_pod_that_ends_is_not_started_again(api: Api) -> None:
    await begin(api, held(container(ENDS)))
    ended = await end(api)
    assert ended["spec"]["restartPolicy"] == "Always"
    assert ended["status"]["containerStatuses"][0]["restartCount"] == 0
    await api.patch("pods", "web", {"metadata": {"finalizers": None}})
    await api.until_gone("pods", "web")
