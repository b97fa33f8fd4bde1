"""compare as users run it: the real command, on a lab."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue import Demo, demos
from compare.api import Api, Object
from compare.conftest import Compare, state
from compare.errors import ClusterError, CompareError
from compare.job import measuring
from compare.namespace import LABELS, Namespace
from compare.run import Run
from tests.processes import Process, wait_until

LONG = 120.0  # seconds that a whole run may take on a busy machine
OURS = f"app.kubernetes.io/managed-by={LABELS['app.kubernetes.io/managed-by']}"
pytestmark = pytest.mark.timeout(200)


def text(run: Process) -> str:
    """All that it printed, without the breaks of the terminal's lines."""
    return " ".join(" ".join(run.lines).split())


async def found(api: Api, path: str, **query: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in (await api.get(path, **query))["items"]]


async def until(api: Api, path: str, what: Callable[[dict[str, Object]], object], **query: str) -> None:
    """Wait until the objects there are so."""
    async with asyncio.timeout(60):
        async for objects in api.watch(path, **query):
            if what(objects):
                return


async def test_the_problem_and_its_cure_are_told_apart_in_one_run(api: Api, compare: Compare, tmp_path: Path) -> None:
    before = await found(api, "/api/v1/namespaces")
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    with compare("clusterip", "client_roundrobin", f"--json={figures}", f"--html={page}") as run:
        assert await asyncio.to_thread(run.end, LONG) == 0, run.lines
    problem, cure = json.loads(figures.read_text())["rows"]
    assert (problem["strategy"], problem["calls_per_pod"]) == ("clusterip", [300, 0, 0])
    assert (cure["strategy"], cure["calls_per_pod"]) == ("client_roundrobin", [100, 100, 100])
    assert problem["fairness"] == pytest.approx(1 / 3)
    assert cure["fairness"] == pytest.approx(1, abs=0.001)
    assert problem["scale_out"]["calls_of_new_pods"] == 0
    assert cure["scale_out"]["share_of_new_pods"] == pytest.approx(0.4, abs=0.02)
    assert all(-1 < after < 20 for after in cure["scale_out"]["first_call_after_s"].values())
    assert {"p50", "p99"} == problem["overhead"].keys()
    assert "shortened from the stock 30 s" in text(run)
    assert "client_roundrobin" in page.read_text()
    assert await found(api, "/api/v1/namespaces") == before


async def test_a_strategy_that_does_not_keep_its_promise_is_named_and_fails_the_run(
    compare: Compare, own: Path
) -> None:
    expectations = own / "mine" / "expectations.toml"
    expectations.write_text(expectations.read_text().replace("new_pods_share = 0.0", "new_pods_share = 0.4"))
    with compare(root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    assert "mine: new pods got 0.0% of the calls, expected 40.0% ± 0.0%" in run.lines
    assert any("✗" in line for line in run.lines)


async def test_a_drill_takes_a_component_away_and_brings_it_back_and_what_it_breaks_is_named(
    api: Api, compare: Compare, own: Path, balancer: Path, tmp_path: Path
) -> None:
    drill = '{do = "away", component = "balancer", away = "1s", failed_attempts = 0, new_pods_within = "1s"}'
    change(own / "mine" / "expectations.toml", 'scale_in = {do = "scale_in"}\n', f"balancer_away = {drill}\n")
    change(own / "mine" / "expectations.toml", 'rolling_restart = {do = "rolling_restart"}\n', "")
    seen: list[int] = []

    async def follow() -> None:
        async for found in api.watch("/apis/apps/v1/deployments", fieldSelector="metadata.name=greeter-balancer"):
            for deployment in found.values():
                if (available := deployment["status"].get("availableReplicas", 0)) not in seen[-1:]:
                    seen.append(available)

    following = asyncio.create_task(follow())
    figures = tmp_path / "figures.json"
    with compare("--drills", f"--json={figures}", root=own) as run:
        assert await asyncio.to_thread(run.end, 180) == 1, run.lines
    following.cancel()
    away = seen.index(0, seen.index(2))
    assert 2 in seen[away:]  # and what comes after that may be the end of all of it
    [row] = json.loads(figures.read_text())["rows"]
    assert row["error"] == ""
    made = row["drills"]["balancer_away"]
    assert made["back"] > made["gone"] + 1
    assert made["first_call_after_s"] == {}
    assert sorted(row["missed"]) == sorted(
        f"balancer away: new pod {pod} got no call in the 6 s after the balancer was back and it was ready, "
        "expected within 1 s"
        for pod in made["ready"]
    )
    assert len(row["missed"]) == 2
    assert "mine: balancer away: new pod" in text(run)


async def test_what_prepare_prints_is_created_before_the_manifests(api: Api, compare: Compare, own: Path) -> None:
    config = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prepared"}, "data": {"for": "%s"}}'
    write_prepare(own, f"echo prepared >&2; printf '{config}' \"$1\"")
    manifest = own / "mine" / "manifests" / "client.yaml"
    [(name, value)] = [
        ("        env:\n", "        - {name: FOR, valueFrom: {configMapKeyRef: {name: prepared, key: for}}}\n")
    ]
    manifest.write_text(manifest.read_text().replace(name, name + value))
    with compare(root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 0, run.lines
    assert "prepared" in text(run)


def write_prepare(own: Path, script: str) -> None:
    prepare = own / "mine" / "prepare"
    prepare.write_text(f"#!/bin/sh\n{script}\n")
    prepare.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no certificate >&2; exit 3", "mine: mine/prepare: exit 3: no certificate"),
        ("echo waiting >&2; sleep 300", "mine: mine/prepare: no end within 8 s: waiting"),
        ("echo words", "mine: mine/prepare is no YAML of Kubernetes objects: "),
        ("echo ][", "mine: mine/prepare is no YAML of Kubernetes objects: "),
    ],
)
async def test_a_prepare_that_fails_is_said_with_its_words(
    compare: Compare, own: Path, script: str, message: str
) -> None:
    write_prepare(own, script)
    with compare("--timeout=8s", root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    assert message in text(run)
    assert not [line for line in run.lines if "Traceback" in line]


async def test_a_prepare_that_never_ends_is_ended_with_compare(
    api: Api, compare: Compare, own: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    write_prepare(own, f"sleep 300 & echo $! > {pid}.new; mv {pid}.new {pid}; wait")
    with compare(root=own) as run:
        await asyncio.to_thread(wait_until, "prepare", pid.exists)
        run.signal(signal.SIGINT)
        assert await asyncio.to_thread(run.end, LONG) == 128 + signal.SIGINT
    assert run.lines[-1] == "compare: ended by SIGINT; the cluster is as it was found"
    wait_until("the end of prepare's children", lambda: state(pid.read_text().strip()) in ("Z", ""))
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["namespaces", "pods", "jobs"])
async def test_interrupted_it_leaves_the_cluster_as_it_was(
    api: Api, compare: Compare, number: signal.Signals, when: str
) -> None:
    before = await found(api, "/api/v1/namespaces")
    path = {"namespaces": "/api/v1/namespaces", "pods": "/api/v1/pods", "jobs": "/apis/batch/v1/jobs"}[when]
    with compare("clusterip", "client_roundrobin") as run:
        await until(api, path, lambda objects: objects.keys() - before)
        run.signal(number)
        assert await asyncio.to_thread(run.end, LONG) == 128 + number
    assert run.lines[-1] == f"compare: ended by {number.name}; the cluster is as it was found"
    assert not [line for line in run.lines if "Traceback" in line]
    assert await found(api, "/api/v1/namespaces") == before
    assert await found(api, "/api/v1/pods") == []


async def test_a_namespace_deleted_under_it_ends_that_strategy_alone(api: Api, compare: Compare, own: Path) -> None:
    with compare("clusterip", "client_roundrobin") as run:
        await until(api, "/apis/batch/v1/jobs", bool)
        [victim] = [name for name in await found(api, "/api/v1/namespaces", labelSelector=OURS) if "clusterip" in name]
        await api.request("DELETE", f"/api/v1/namespaces/{victim}")
        assert await asyncio.to_thread(run.end, LONG) == 1
    said = text(run)
    assert f"clusterip: namespace {victim} was deleted while it was measured in; measure again" in said
    assert "✓ as" in said
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


async def test_an_image_that_is_not_on_the_cluster_is_named_with_the_remedy(compare: Compare, own: Path) -> None:
    manifest = own / "mine" / "manifests" / "server.yaml"
    manifest.write_text(manifest.read_text().replace("greeter:dev", "greeter:absent"))
    with compare(root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    said = text(run)
    assert "ImagePullBackOff" in said
    assert "bring the image to the nodes with k8s/load" in said


async def test_pods_that_never_get_ready_are_given_up_with_what_the_cluster_says_of_them(
    compare: Compare, own: Path
) -> None:
    manifest = own / "mine" / "manifests" / "server.yaml"
    manifest.write_text(manifest.read_text().replace("--address=0.0.0.0:8000", "--address=0.0.0.0:8001"))
    with compare("--timeout=8s", root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    said = text(run)
    assert "mine: 0 of 3 pods ready after 8 s: greeter-server-" in said
    assert "Unhealthy: Startup probe failed" in said


async def test_before_another_deployment_is_rolled_out_there_is_no_client_and_it_is_said_why(
    api: Api, own: Path, balancer: Path
) -> None:
    change(balancer, "--address=0.0.0.0:8000", "--address=0.0.0.0:8001")
    demo = Demo("mine", own / "mine" / "manifests", {"spread": {"replicas": 3}})
    namespace = Namespace(api, "compare-mine", patience=8)
    try:
        await namespace.create()
        async with namespace.watched():
            with pytest.raises(CompareError) as caught:
                await namespace.apply(demo)
        created = await found(api, namespace.path("deployments", group="apps"))
    finally:
        await namespace.delete()
    assert created == ["greeter-balancer", "greeter-server"]
    assert str(caught.value).startswith("greeter-balancer: not rolled out after 8 s: greeter-balancer-")
    assert "Unhealthy: Startup probe failed" in str(caught.value)


def change(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


async def test_an_object_that_the_cluster_refuses_is_said_in_its_words(compare: Compare, own: Path) -> None:
    manifest = own / "mine" / "manifests" / "server.yaml"
    manifest.write_text(manifest.read_text().replace("replicas: 3", "replicsa: 3"))
    with compare(root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    assert 'unknown field "spec.replicsa"' in text(run)


async def test_the_result_of_a_client_whose_every_call_fails_is_read(api: Api, own: Path) -> None:
    """It exits with 1, so its Job fails."""
    manifest = own / "mine" / "manifests" / "server.yaml"
    manifest.write_text(manifest.read_text().replace('0.0.0.0:8000"', '0.0.0.0:8000", --faults'))
    demo = Demo("mine", own / "mine" / "manifests", {"spread": {"replicas": 3}})
    namespace = Namespace(api, "compare-mine", patience=60)
    try:
        await namespace.create()
        async with namespace.watched():
            await namespace.apply(demo)
            failing = ("--count=3", "--metadata=fault=error=INTERNAL")
            async with measuring(namespace, *failing, backends=1) as measurement:
                result = await measurement.result(60)
            await until(api, namespace.path("jobs", group="batch"), failed)
    finally:
        await namespace.delete()
    assert result["failures"] == {"INTERNAL": 3}


def failed(jobs: dict[str, Object]) -> bool:
    return any(c["type"] == "Failed" for job in jobs.values() for c in job["status"].get("conditions", ()))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("expectations.toml", "order = ", "compare: mine/expectations.toml: Invalid value"),
        (
            "expectations.toml",
            "order = 0",
            "compare: mine/expectations.toml lacks picks, spread, scale_out, drills; see",
        ),
        ("expectations.toml", None, "compare: mine/expectations.toml: [Errno 2] No such file"),
    ],
)
def test_a_strategy_that_is_half_written_is_said_in_one_line(
    compare: Compare, own: Path, file: str, text: str | None, message: str
) -> None:
    if text is None:
        (own / "mine" / file).unlink()
    else:
        (own / "mine" / file).write_text(text)
    with compare(root=own) as run:
        assert run.end() == 2
    assert message in run.lines[-1]
    assert len(run.lines) == 1


async def test_what_could_not_be_deleted_is_named_with_the_command_that_does(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Run(api, demos()[:1], dns_cache=1, patience=1, say=lambda *_: None)
    [made] = [each.namespace for each in subject._subjects]

    async def refuse() -> None:
        raise ClusterError("no cluster answers")

    monkeypatch.setattr(made, "delete", refuse)
    with pytest.raises(ClusterError, match=f"no cluster answers; then: kubectl delete namespace {made.name}"):
        await subject._delete()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["client_roundrobbin"], "there is no strategy 'client_roundrobbin'; there are clusterip, client_roundrobin"),
        (["--timeout=fast"], "'fast' is not a duration; write 30s, 1m30s or 500ms"),
        (["--timeout=720h"], "'720h' is too long; write 596h at most"),
        (["--json=/no/such/file"], "'/no/such/file' can't be written; name a file in a directory that exists"),
        (["--html=/"], "'/' can't be written"),
        ([f"--json={'x' * 300}"], "can't be written; name a file in a directory that exists"),
        (["--dirlls"], "unrecognized arguments: --dirlls"),
    ],
)
def test_a_wrong_flag_is_refused_before_anything_is_measured(compare: Compare, args: list[str], message: str) -> None:
    with compare(*args) as run:
        assert run.end() == 2
    assert message in run.lines[-1]
    assert not [line for line in run.lines if "Traceback" in line]


@pytest.mark.parametrize(
    ("kubeconfig", "message"),
    [
        (None, "no cluster: there is no "),
        ("][", "no cluster: "),
        ("{apiVersion: v1, kind: Config}", "the kubeconfig has no current context"),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
            " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {}}]}",
            "no cluster answers at http://127.0.0.1:1",
        ),
    ],
)
def test_a_kubeconfig_that_names_no_cluster_is_said_in_one_line(
    compare: Compare, tmp_path: Path, kubeconfig: str | None, message: str
) -> None:
    file = tmp_path / "config"
    if kubeconfig:
        file.write_text(kubeconfig)
    with compare(kubeconfig=str(file)) as run:
        assert run.end() == 2
    assert message in run.lines[-1]
    assert len(run.lines) == 1
