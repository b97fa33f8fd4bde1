"""Probes: startup holds back the others, readiness takes out of traffic, liveness restarts."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from lab.conformance.api import Api, Object
from lab.conformance.manifests import GREETER, SLEEP, container, pod, python
from lab.conformance.states import condition, holds, phase, ready, restarts, since, status_of

# Serves HTTP at argument 1: 200 on /well and to who sends X-Probe: yes, or else 500.
HTTP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/well" or self.headers["X-Probe"] == "yes" else 500)
        self.end_headers()
host, port = sys.argv[1].split(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""
# A gRPC server at argument 1, whose health, if it has any, is argument 2.
GRPC_SERVER = """
import concurrent.futures, grpc, sys
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
server = grpc.server(concurrent.futures.ThreadPoolExecutor())
if sys.argv[2:]:
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(sys.argv[2]))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
"""
SERVE = python(HTTP, "0.0.0.0:8000")
FAILING: Object = {"exec": {"command": python("raise SystemExit('not well')")}, "periodSeconds": 1}
PASSING: Object = {"exec": {"command": python("")}, "periodSeconds": 1}
FLAG: Object = {
    "volumeMounts": [{"name": "flags", "mountPath": "/flags"}],
    "readinessProbe": {
        "exec": {"command": python("import os, sys; sys.exit(not os.path.exists(sys.argv[1]))", "/flags/up")},
        "periodSeconds": 1,
        "failureThreshold": 1,
    },
}
FLAGS: Object = {"volumes": [{"name": "flags", "emptyDir": {}}]}
# Raises the flag of argument 1, and takes it down, in turn.
WAVE = """
import pathlib, sys, time
flag = pathlib.Path(sys.argv[1])
while True:
    flag.touch()
    time.sleep(3)
    flag.unlink()
    time.sleep(3)
"""

PASSES: list[tuple[str, list[str], Object]] = [
    ("exec", SLEEP, {"exec": {"command": python("")}}),
    ("tcp", SERVE, {"tcpSocket": {"port": 8000}}),
    ("http", SERVE, {"httpGet": {"port": 8000, "path": "/well"}}),
    ("http-named-port", SERVE, {"httpGet": {"port": "web", "path": "/well"}}),
    ("http-header", SERVE, {"httpGet": {"port": 8000, "httpHeaders": [{"name": "X-Probe", "value": "yes"}]}}),
    ("grpc", GREETER, {"grpc": {"port": 8000}}),
    ("grpc-service", GREETER, {"grpc": {"port": 8000, "service": "helloworld.Greeter"}}),
]
FAILS: list[tuple[str, list[str], Object, str]] = [
    (
        "exec",
        SLEEP,
        {"exec": {"command": python("raise SystemExit('not well')")}},
        "Readiness probe failed: not well\n",
    ),
    ("exec-slow", SLEEP, {"exec": {"command": SLEEP}}, "Readiness probe failed: command timed out"),
    ("tcp", SLEEP, {"tcpSocket": {"port": 8000}}, "connect: connection refused"),
    ("http", SERVE, {"httpGet": {"port": 8000}}, "Readiness probe failed: HTTP probe failed with statuscode: 500"),
    ("http-refused", SLEEP, {"httpGet": {"port": 8000}}, "connect: connection refused"),
    ("grpc", SLEEP, {"grpc": {"port": 8000}}, "Readiness probe failed: timeout: failed to connect service"),
    (
        "grpc-service",
        GREETER,
        {"grpc": {"port": 8000, "service": "other"}},
        "Readiness probe failed: error: health rpc probe failed: rpc error: code = NotFound",
    ),
    (
        "grpc-without-health",
        python(GRPC_SERVER, "0.0.0.0:8000"),
        {"grpc": {"port": 8000}},
        "Readiness probe failed: error: this server does not implement the grpc health protocol",
    ),
    (
        "grpc-not-serving",
        python(GRPC_SERVER, "0.0.0.0:8000", "NOT_SERVING"),
        {"grpc": {"port": 8000}},
        'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")',
    ),
]


def probed(command: list[str], **probes: Object) -> Object:
    ports = [{"name": "web", "containerPort": 8000}]
    fields: Object = {f"{kind}Probe": probe for kind, probe in probes.items()}
    return pod("web", container(command, ports=ports, **fields))


async def unhealthy(api: Api, message: str) -> Object:
    """Wait for the event that tells of a failed probe."""

    def told(events: list[Object]) -> Object | None:
        return next((e for e in events if e["reason"] == "Unhealthy" and message in e["message"]), None)

    event = await api.until("events", told, f"an event Unhealthy: {message}")
    assert event
    assert event["type"] == "Warning"
    return event


@pytest.mark.parametrize(("command", "probe"), [row[1:] for row in PASSES], ids=[row[0] for row in PASSES])
async def test_a_container_whose_readiness_probe_passes_is_ready(api: Api, command: list[str], probe: Object) -> None:
    await api.create("pods", probed(command, readiness=probe | {"periodSeconds": 1}))
    await api.until_one("pods", "web", ready, "is ready")


@pytest.mark.parametrize(("command", "probe", "message"), [row[1:] for row in FAILS], ids=[row[0] for row in FAILS])
async def test_a_container_whose_readiness_probe_fails_is_not_ready_and_not_restarted(
    api: Api, command: list[str], probe: Object, message: str
) -> None:
    await api.create("pods", probed(command, readiness=probe | {"periodSeconds": 1}))
    await unhealthy(api, message)
    seen = await api.until_one("pods", "web", lambda p: phase(p) == "Running", "runs")
    assert not holds(seen, "Ready")
    assert condition(seen, "Ready")["reason"] == "ContainersNotReady"
    assert condition(seen, "Ready")["message"] == "containers with unready status: [main]"
    assert (status_of(seen)["started"], restarts(seen)) == (True, 0)


async def test_readiness_comes_and_goes_with_its_probe(api: Api) -> None:
    waves = container(python(WAVE, "/flags/up"), **FLAG)
    async with api.recording("pods") as recording:
        await api.create("pods", pod("web", waves, **FLAGS))
        for is_ready in (True, False, True):
            await recording.until(lambda ps, r=is_ready: ps and ready(ps[0]) == r, f"ready is {is_ready}")  # type: ignore[misc]
        assert all(restarts(event["object"]) == 0 for event in recording.events)


async def test_a_container_whose_liveness_probe_fails_is_restarted(api: Api) -> None:
    await api.create("pods", probed(SLEEP, liveness=FAILING | {"failureThreshold": 2}))
    event = await unhealthy(api, "Liveness probe failed: not well\n")
    assert event["involvedObject"]["fieldPath"] == "spec.containers{main}"
    again = await api.until_one("pods", "web", lambda p: restarts(p) == 1, "is restarted")
    assert status_of(again)["lastState"]["terminated"]["exitCode"] != 0

    def killed(events: list[Object]) -> list[Object]:
        return [e for e in events if e["message"] == "Container main failed liveness probe, will be restarted"]

    await api.until("events", killed, "the event Killing")


async def test_a_liveness_probe_that_passes_leaves_the_container_alone(api: Api) -> None:
    await api.create("pods", probed(SLEEP, liveness=PASSING, readiness=PASSING | {"initialDelaySeconds": 4}))
    seen = await api.until_one("pods", "web", ready, "is ready")  # four probes later
    assert restarts(seen) == 0


async def test_the_other_probes_wait_for_the_startup_probe(api: Api) -> None:
    begins = "import pathlib, sys, time; time.sleep(3); pathlib.Path(sys.argv[1]).touch(); time.sleep(3600)"
    startup = FLAG["readinessProbe"] | {"failureThreshold": 30}
    main = container(python(begins, "/flags/up"), volumeMounts=FLAG["volumeMounts"], startupProbe=startup)
    main |= {"readinessProbe": PASSING, "livenessProbe": PASSING}
    async with api.recording("pods") as recording:
        await api.create("pods", pod("web", main, **FLAGS))
        await recording.until(lambda pods: pods and ready(pods[0]), "the pod is ready")
    (seen,) = recording.objects
    states = [(s["started"], s["ready"]) for s in (status_of(event["object"]) for event in recording.events) if s]
    assert (False, True) not in states
    assert states[-1] == (True, True)
    running_since = datetime.fromisoformat(status_of(seen)["state"]["running"]["startedAt"])
    assert since(seen, "Ready") - running_since >= timedelta(seconds=3)
    assert restarts(seen) == 0


async def test_a_container_that_never_starts_up_is_restarted(api: Api) -> None:
    await api.create("pods", probed(SLEEP, startup=FAILING | {"failureThreshold": 2}, liveness=PASSING))
    again = await api.until_one("pods", "web", lambda p: restarts(p) == 1, "is restarted")
    assert not ready(again)
    await unhealthy(api, "Startup probe failed: not well\n")


async def test_a_pod_is_ready_when_all_its_containers_are(api: Api) -> None:
    first: dict[str, Any] = container(SLEEP, readinessProbe=PASSING)
    await api.create("pods", pod("web", first, container(SLEEP, "second", readinessProbe=FAILING)))
    seen = await api.until_one("pods", "web", lambda p: status_of(p).get("ready"), "its first container is ready")
    assert not holds(seen, "Ready")
    assert "second" in condition(seen, "ContainersReady")["message"]
