"""A pod's life as its status tells it."""

from lab.conformance.api import Api
from lab.conformance.manifests import SLEEP, container, pod, program, python
from lab.conformance.states import condition, finished, holds, phase, ready, status_of, terminated

# Says hello to the first who connects.
SERVE_ONCE = """
import socket, sys
host, port = sys.argv[1].split(":")
with socket.create_server((host, int(port))) as server:
    server.accept()[0].sendall(b"hello")
"""
# Connects, as soon as someone listens, and prints what it is told.
CALL = """
import socket, sys, time
host, port = sys.argv[1].split(":")
while True:
    try:
        print(socket.create_connection((host, int(port))).recv(100).decode())
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
"""


async def test_a_pod_gets_a_node_an_address_and_conditions_one_after_the_other(api: Api) -> None:
    async with api.recording("pods") as recording:
        await api.create("pods", pod("web", container(SLEEP)))
        await recording.until(lambda pods: pods and ready(pods[0]), "the pod is ready")
    seen = [event["object"] for event in recording.events]
    phases = list(dict.fromkeys(phase(obj) for obj in seen))
    assert phases == ["Pending", "Running"]
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
        states = [holds(obj, kind) for obj in seen]
        assert states == sorted(states), f"{kind} came and went"
    last = seen[-1]
    (node,) = [n for n in (await api.list("nodes"))["items"] if n["metadata"]["name"] == last["spec"]["nodeName"]]
    assert last["status"]["podIPs"] == [{"ip": last["status"]["podIP"]}]
    addresses = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
    assert last["status"]["hostIP"] in addresses
    assert last["status"]["startTime"]


async def test_a_running_containers_status_says_what_runs_since_when(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP)))
    running = await api.until_one("pods", "web", ready, "is ready")
    status = status_of(running)
    assert status["state"]["running"]["startedAt"]
    assert (status["ready"], status["started"], status["restartCount"]) == (True, True, 0)
    assert status["image"].endswith("greeter:dev")
    assert "://" in status["containerID"]
    assert status["imageID"]


async def test_pods_have_addresses_of_their_own(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.create("pods", pod(name, container(SLEEP)))
    pods = await api.until("pods", lambda ps: ps if all(map(ready, ps)) else [], "all are ready")
    assert len({p["status"]["podIP"] for p in pods}) == 3


async def test_a_pod_whose_programs_all_end_well_has_succeeded(api: Api) -> None:
    await api.create("pods", pod("web", container(python("")), container(python(""), "too"), restartPolicy="Never"))
    done = await api.until_one("pods", "web", finished, "is finished")
    assert phase(done) == "Succeeded"
    assert condition(done, "Ready")["reason"] == "PodCompleted"
    for name in ("main", "too"):
        end = terminated(done, name)
        assert (end["exitCode"], end["reason"]) == (0, "Completed")
        assert end["startedAt"] <= end["finishedAt"]


async def test_a_pod_of_which_one_program_fails_has_failed_once_all_have_ended(api: Api) -> None:
    slow = container(python("import time; time.sleep(2)"), "slow")
    async with api.recording("pods") as recording:
        await api.create("pods", pod("web", container(python("raise SystemExit(3)")), slow, restartPolicy="Never"))
        await recording.until(lambda pods: pods and finished(pods[0]), "the pod is finished")
    failed = [event["object"] for event in recording.events if phase(event["object"]) == "Failed"]
    assert all(terminated(obj, "slow") for obj in failed)
    end, last = terminated(failed[-1]), terminated(failed[-1], "slow")
    assert (end["exitCode"], end["reason"]) == (3, "Error")
    assert end["finishedAt"] < last["finishedAt"]


async def test_a_programs_environment_is_its_own(api: Api) -> None:
    code = "import os; print(*map(os.environ.get, ['HOSTNAME', 'OWN', 'PYTEST_VERSION']))"
    env = [{"name": "OWN", "value": "1"}]
    await api.create("pods", pod("web", container(python(code), env=env), restartPolicy="Never"))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == "web 1 None\n"


async def test_args_come_after_the_command(api: Api) -> None:
    says = container(python("import sys; print(sys.argv[1:])", "a"), args=["b", "c d"])
    await api.create("pods", pod("web", says, restartPolicy="Never"))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == "['a', 'b', 'c d']\n"


async def test_a_program_runs_in_the_working_directory_it_is_given(api: Api) -> None:
    says = container(python("import os; print(os.getcwd())"), workingDir="/usr")
    await api.create("pods", pod("web", says, restartPolicy="Never"))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web") == "/usr\n"


async def test_programs_of_a_pod_reach_each_other_on_its_address(api: Api) -> None:
    server = container(python(SERVE_ONCE, "127.0.0.1:9000"), "server")
    client = container(python(CALL, "localhost:9000"), "client")
    await api.create("pods", pod("web", server, client, restartPolicy="Never"))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web", container="client") == "hello\n"


async def test_two_pods_listen_on_the_same_port(api: Api) -> None:
    for name in ("one", "two"):
        await api.create("pods", pod(name, container(python(SERVE_ONCE, "0.0.0.0:9000"))))
    pods = await api.until("pods", lambda ps: ps if len(ps) == 2 and all(map(ready, ps)) else [], "both run")
    for one in pods:
        await api.create("pods", program(f"calls-{one['metadata']['name']}", CALL, f"{one['status']['podIP']}:9000"))
    for name in ("calls-one", "calls-two"):
        await api.until_one("pods", name, finished, "is finished")
        assert await api.logs(name) == "hello\n"


async def test_the_node_is_ready_and_says_what_it_runs(root: Api) -> None:
    for node in (await root.list("nodes"))["items"]:
        assert holds(node, "Ready")
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == node["metadata"]["name"]
        assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
        assert {"cpu", "memory", "pods"} <= node["status"]["capacity"].keys()
