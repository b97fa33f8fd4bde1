"""Services: an address that stays, and behind it a pod for each new connection."""

import json
from typing import Any

from lab.conformance.api import Api, Object, refused
from lab.conformance.differences import Cluster
from lab.conformance.manifests import (
    GREETER,
    GRPC_READY,
    container,
    env_field,
    names_itself,
    pod,
    program,
    python,
    service,
)
from lab.conformance.states import finished, phase, ready, terminated

# Connects to argument 1: first until the names of arguments 3… have all been reached, for kube-proxy takes a moment to
# hear of them, then as often as argument 2 says, and prints whom it reached how often.
CONNECT = """
import collections, json, socket, sys, time
address, times, *names = sys.argv[1:]
host, port = address.split(":")
def reached():
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            return connection.recv(100).decode()
    except OSError as error:
        return type(error).__name__
seen, end = set(), time.monotonic() + 20
while not seen.issuperset(names) and time.monotonic() < end:
    seen.add(reached())
    time.sleep(0.02)
print(json.dumps(collections.Counter(reached() for _ in range(int(times)))))
"""
# Tells whoever connects their own address.
SEES = """
import socket, sys
host, port = sys.argv[1].split(":")
server = socket.create_server((host, int(port)))
while True:
    connection, (peer, _) = server.accept()
    connection.sendall(peer.encode())
    connection.close()
"""
NEVER_READY = {"exec": {"command": python("raise SystemExit(1)")}, "periodSeconds": 1}


async def pods(api: Api, *names: str, app: str = "web", **fields: Any) -> None:
    """Pods of the Service that tell their names, and are ready."""
    for name in names:
        await api.create("pods", pod(name, names_itself(**fields), labels={"app": app}))
    for name in names:
        await api.until_one("pods", name, ready, "is ready")


async def endpoints(api: Api, count: int) -> None:
    def are(slices: list[Object]) -> bool:
        found = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
        return len(found) == count

    await api.until("endpointslices", are, f"{count} ready endpoints")


async def connect(api: Api, address: str, times: int, *expected: str) -> dict[str, int]:
    """Whom a pod reaches at the address, and how often, once it has reached all that are expected."""
    name = f"client-{len((await api.list('pods'))['items'])}"
    await api.create("pods", program(name, CONNECT, address, str(times), *expected))
    await api.until_one("pods", name, finished, "is finished")
    reached: dict[str, int] = json.loads(await api.logs(name))
    return reached


async def greet(api: Api, module: str, target: str, calls: int = 60, backends: int = 1) -> dict[str, int]:
    """Calls by the address of the pod that answered, once so many have: a client's connections don't stand at once."""
    command = ["python", "-m", module, f"--target={target}", f"--count={calls}", "--json"]
    command += [f"--backends={backends}", "--warmup=20s"]
    await api.create("pods", pod("greets", container(command), restartPolicy="Never"))
    done = await api.until_one("pods", "greets", finished, "is finished")
    log = await api.logs("greets")
    assert terminated(done)["exitCode"] == 0, log
    result = json.loads(log.splitlines()[-1])
    assert result["failures"] == {}, log
    return {address: seen["calls"] for address, seen in result["backends"].items()}


async def greeters(api: Api, *names: str) -> set[str]:
    """Greeters behind the Service `web`; return their addresses."""
    env = [env_field("POD_IP", "status.podIP")]
    for name in names:
        main = container(GREETER, env=env, readinessProbe=GRPC_READY)
        await api.create("pods", pod(name, main, labels={"app": "web"}))
    running = [await api.until_one("pods", name, ready, "is ready") for name in names]
    await endpoints(api, len(names))
    return {obj["status"]["podIP"] for obj in running}


async def test_each_new_connection_reaches_one_of_the_pods(api: Api) -> None:
    made = await api.create("services", service("web"))
    await pods(api, "one", "two", "three")
    reached = await connect(api, f"{made['spec']['clusterIP']}:8000", 60, "one", "two", "three")
    assert reached.keys() == {"one", "two", "three"}
    assert sum(reached.values()) == 60


async def test_a_services_port_stands_for_another_of_the_pods(api: Api) -> None:
    made = await api.create("services", service("web", 9000, "named"))
    await pods(api, "one", port=8123, ports=[{"name": "named", "containerPort": 8123}])
    assert await connect(api, f"{made['spec']['clusterIP']}:9000", 3, "one") == {"one": 3}


async def test_pods_that_are_not_ready_get_no_connections(api: Api) -> None:
    made = await api.create("services", service("web"))
    await pods(api, "one")
    await api.create("pods", pod("two", names_itself(readinessProbe=NEVER_READY), labels={"app": "web"}))
    await api.until_one("pods", "two", lambda p: phase(p) == "Running", "runs")
    assert await connect(api, f"{made['spec']['clusterIP']}:8000", 20, "one") == {"one": 20}


async def test_a_service_without_ready_pods_refuses_connections(api: Api) -> None:
    made = await api.create("services", service("web"))
    assert await connect(api, f"{made['spec']['clusterIP']}:8000", 2) == {"ConnectionRefusedError": 2}


async def test_a_pod_is_reached_on_its_own_address_whether_ready_or_not(api: Api) -> None:
    await api.create("pods", pod("one", names_itself(readinessProbe=NEVER_READY)))
    await pods(api, "two")
    one = await api.until_one("pods", "one", lambda p: "podIP" in p["status"], "has an address")
    assert await connect(api, f"{one['status']['podIP']}:8000", 2) == {"one": 2}


async def test_all_calls_of_one_connection_go_to_one_pod(api: Api) -> None:
    made = await api.create("services", service("web"))
    addresses = await greeters(api, "one", "two")
    reached = await greet(api, "clusterip.client", f"{made['spec']['clusterIP']}:8000")
    assert len(reached) == 1
    assert reached.keys() < addresses


async def test_a_headless_services_name_gives_a_client_all_its_pods(api: Api) -> None:
    await api.create("services", service("web", clusterIP="None"))
    addresses = await greeters(api, "one", "two")
    reached = await greet(api, "client_roundrobin.client", "web:8000", backends=2)
    assert reached.keys() == addresses
    assert abs(reached.popitem()[1] - 30) <= 1


async def test_a_services_address_stays_while_its_pods_change(api: Api) -> None:
    made = await api.create("services", service("web"))
    address = f"{made['spec']['clusterIP']}:8000"
    await pods(api, "one")
    assert await connect(api, address, 2, "one") == {"one": 2}
    await api.delete("pods", "one")
    await api.until_gone("pods", "one")
    await pods(api, "two")
    assert await connect(api, address, 2, "two") == {"two": 2}


async def test_addresses_are_unique_and_can_be_asked_for(api: Api) -> None:
    first = (await api.create("services", service("first")))["spec"]["clusterIP"]
    with refused(422, "Invalid", f'spec.clusterIPs: Invalid value: ["{first}"]: failed to allocate IP {first}'):
        await api.create("services", service("second", clusterIP=first))
    await api.delete("services", "first")
    again = await api.create("services", service("second", clusterIP=first))
    assert again["spec"]["clusterIP"] == first


async def test_a_headless_service_has_no_address(api: Api) -> None:
    made = await api.create("services", service("web", clusterIP="None"))
    assert (made["spec"]["clusterIP"], made["spec"]["clusterIPs"]) == ("None", ["None"])


async def test_a_pod_sees_the_address_of_the_pod_that_calls_it(api: Api, cluster: Cluster) -> None:
    await api.create("pods", pod("sees", container(python(SEES, "0.0.0.0:8000"))))
    sees = await api.until_one("pods", "sees", ready, "is ready")
    await api.create("pods", program("calls", CONNECT, f"{sees['status']['podIP']}:8000", "1"))
    calls = await api.until_one("pods", "calls", finished, "is finished")
    seen = "127.0.0.1" if cluster.differs("source-address") else calls["status"]["podIP"]
    assert json.loads(await api.logs("calls")) == {seen: 1}
