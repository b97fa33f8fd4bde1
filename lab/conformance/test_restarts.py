"""What becomes of a container that ends, or that never begins."""

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, pod, program, python
from lab.conformance.states import condition, finished, phase, ready, restarts, status_of, terminated, waiting

# Counts its starts in the file of argument 1, and ends with the exit code of argument 2 until it has started 3 times.
THIRD_TIME = """
import pathlib, sys, time
starts = pathlib.Path(sys.argv[1])
count = len(starts.read_text()) + 1 if starts.exists() else 1
starts.write_text("x" * count)
if count < 3:
    sys.exit(int(sys.argv[2]))
"""
STATE: Object = {"volumes": [{"name": "state", "emptyDir": {}}]}
MOUNT: Object = {"volumeMounts": [{"name": "state", "mountPath": "/state"}]}


async def test_a_container_that_ends_is_always_restarted_by_default(api: Api) -> None:
    await api.create("pods", program("web", "", restartPolicy="Always"))
    again = await api.until_one("pods", "web", lambda p: restarts(p) == 1, "is restarted")
    last = status_of(again)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (0, "Completed")
    assert phase(again) == "Running"


async def test_a_container_that_ends_soon_again_waits_before_its_next_start(api: Api) -> None:
    await api.create("pods", program("web", "raise SystemExit(1)", restartPolicy="Always"))
    backed_off = await api.until_one(
        "pods", "web", lambda p: waiting(p).get("reason") == "CrashLoopBackOff", "backs off"
    )
    assert waiting(backed_off)["message"].startswith("back-off 10s restarting failed container=main pod=web_")
    assert condition(backed_off, "Ready")["reason"] == "ContainersNotReady"
    assert status_of(backed_off)["lastState"]["terminated"]["exitCode"] == 1


async def test_the_back_off_doubles(api: Api) -> None:
    await api.create("pods", program("web", "raise SystemExit(1)", restartPolicy="Always"))
    await api.until_one(
        "pods", "web", lambda p: "back-off 20s" in waiting(p).get("message", ""), "backs off longer", 80
    )


async def test_on_failure_a_container_is_restarted_until_it_ends_well(api: Api) -> None:
    main = container(python(THIRD_TIME, "/state/starts", "1"), **MOUNT)
    await api.create("pods", pod("web", main, restartPolicy="OnFailure", **STATE))
    done = await api.until_one("pods", "web", finished, "is finished")
    assert phase(done) == "Succeeded"
    assert restarts(done) == 2


async def test_never_means_that_a_container_runs_once(api: Api) -> None:
    await api.create("pods", program("web", "raise SystemExit(1)"))
    done = await api.until_one("pods", "web", finished, "is finished")
    assert (phase(done), restarts(done)) == ("Failed", 0)


async def test_a_restart_leaves_the_pod_its_address_and_the_other_container_alone(api: Api) -> None:
    fails = container(python("import time; time.sleep(1); raise SystemExit(1)"), "fails")
    await api.create("pods", pod("web", container(SLEEP), fails))
    before = await api.until_one("pods", "web", ready, "is ready")
    after = await api.until_one("pods", "web", lambda p: restarts(p, "fails") == 1, "is restarted")
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert status_of(after)["containerID"] == status_of(before)["containerID"]
    assert status_of(after, "fails")["containerID"] != status_of(before, "fails")["containerID"]


async def test_a_container_without_a_command_runs_its_images(api: Api) -> None:
    main = {key: value for key, value in container([]).items() if key != "command"}
    await api.create("pods", pod("web", main, restartPolicy="Never"))
    done = await api.until_one("pods", "web", finished, "is finished")
    assert (phase(done), terminated(done)["exitCode"]) == ("Succeeded", 0)  # Python, with nothing to read


async def test_a_command_that_does_not_exist_is_an_error_of_its_start(api: Api) -> None:
    await api.create("pods", pod("web", container(["no-such-command"]), restartPolicy="Never"))
    failed = await api.until_one("pods", "web", finished, "is finished")
    end = terminated(failed)
    assert (end["reason"], end["exitCode"]) == ("StartError", 128)
    assert 'exec: "no-such-command": executable file not found in $PATH' in end["message"]


async def test_an_unknown_image_cannot_be_pulled(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP) | {"image": "localhost/no-such-image:1"}))
    failing = await api.until_one("pods", "web", lambda p: waiting(p).get("reason") == "ErrImagePull", "fails")
    assert "localhost/no-such-image:1" in waiting(failing)["message"]
    assert phase(failing) == "Pending"
    backed_off = await api.until_one(
        "pods", "web", lambda p: waiting(p).get("reason") == "ImagePullBackOff", "backs off"
    )
    assert waiting(backed_off)["message"].startswith('Back-off pulling image "localhost/no-such-image:1"')
