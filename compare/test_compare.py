"""compare as users run it: the real command, on a lab."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue import ROOT, Demo, demos
from compare.api import Api, Object
from compare.conftest import Compare, Refusal, state
from compare.errors import ClusterError, CompareError
from compare.job import measuring
from compare.namespace import LABELS, Namespace
from compare.run import Run
from testing.processes import Process, wait_until

LONG = 120.0  # seconds that a whole run may take on a busy machine
OURS = f"app.kubernetes.io/managed-by={LABELS['app.kubernetes.io/managed-by']}"


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
    assert "clusterip does not balance them" in " ".join(text(run).split())
    assert page.read_text().count("this is the problem") == 1
    assert await found(api, "/api/v1/namespaces") == before


def write_prepare(strategy: Path, script: str) -> None:
    prepare = strategy / "prepare"
    prepare.write_text(f"#!/bin/sh\n{script}\n")
    prepare.chmod(0o755)


def change(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


async def test_what_keeps_strategies_from_being_measured_is_said_of_each(api: Api, compare: Compare, own: Path) -> None:
    prepares = {"exits": "echo no certificate >&2; exit 3", "hangs": "echo waiting >&2; sleep 300"}
    prepares |= {"prints_words": "echo words", "prints_brackets": "echo ]["}
    servers = {
        "no_image": ("greeter:dev", "greeter:absent"),
        "never_ready": ("--address=0.0.0.0:8000", "--address=0.0.0.0:8001"),
        "refused": ("replicas: 3", "replicsa: 3"),
    }
    for name in (*prepares, *servers):
        shutil.copytree(own / "mine", own / name)
    for name, script in prepares.items():
        write_prepare(own / name, script)
    for name, (right, wrong) in servers.items():
        change(own / name / "manifests" / "server.yaml", right, wrong)
    with compare("--timeout=8s", *prepares, *servers, root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 1
    said = text(run)
    for message in (
        "exits: exits/prepare: exit 3: no certificate",
        "hangs: hangs/prepare: no end within 8 s: waiting",
        "prints_words: prints_words/prepare is no YAML of Kubernetes objects: ",
        "prints_brackets: prints_brackets/prepare is no YAML of Kubernetes objects: ",
        "no_image: pod greeter-server-",
        "ImagePullBackOff",
        "bring the image to the nodes with k8s/load",
        "never_ready: 0 of 3 pods ready after 8 s: greeter-server-",
        "Unhealthy: Startup probe failed",
        "refused: the cluster refuses: ",
        'unknown field "spec.replicsa"',
    ):
        assert message in said
    assert not [line for line in run.lines if "Traceback" in line]
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


async def test_what_a_cluster_has_not_and_a_variant_needs_leaves_that_variant_out(
    api: Api, compare: Compare, own: Path, tmp_path: Path
) -> None:
    """Nothing is made for it, and no prediction has failed. Without `needs`, it is an error of the cluster."""
    gateway = "apiVersion: gateway.example.com/v1\nkind: Gateway\nmetadata: {name: edge}\n"
    (own / "mine" / "manifests" / "gateway.yaml").write_text(gateway)
    with compare(root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 2
    assert "this cluster knows no Gateway of gateway.example.com/v1" in text(run)
    expectations = (own / "mine" / "expectations.toml").read_text()
    (own / "mine" / "expectations.toml").write_text(f'needs = "Gateway API"\n{expectations}')
    with compare(f"--json={tmp_path / 'figures.json'}", root=own) as run:
        assert await asyncio.to_thread(run.end, LONG) == 0
    assert "needs Gateway API" in " ".join(text(run).split())
    [row] = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert (row["lacks"], row["spread"], row["missed"], row["error"]) == ("Gateway API", None, [], "")
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


async def test_a_python_prepare_is_run_by_compares_own_python(api: Api, own: Path) -> None:
    code = "import json, sys; m = {'name': 'which'}; d = {'python': sys.prefix, 'given': ' '.join(sys.argv[1:])}"
    code += "; print(json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': m, 'data': d}))"
    prepare = own / "mine" / "prepare"
    prepare.write_text(f"#!/usr/bin/env python3\n{code}\n")
    prepare.chmod(0o755)
    namespace = Namespace(api, "compare-mine", patience=60)
    try:
        await namespace.create()
        await namespace.prepare(Demo("mine/variant", own / "mine" / "manifests", {}))
        made = (await api.get(namespace.path("configmaps", "which")))["data"]
    finally:
        await namespace.delete()
    assert made == {"python": sys.prefix, "given": f"{namespace.name} variant"}


async def test_a_prepare_that_never_ends_is_ended_with_compare(
    api: Api, compare: Compare, own: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    write_prepare(own / "mine", f"sleep 300 & echo $! > {pid}.new; mv {pid}.new {pid}; wait")
    with compare(root=own) as run:
        await asyncio.to_thread(wait_until, "prepare", pid.exists)
        run.signal(signal.SIGINT)
        assert await asyncio.to_thread(run.end, LONG) == 128 + signal.SIGINT
    assert run.lines[-1] == "compare: ended by SIGINT; the cluster is as it was found"
    wait_until("the end of prepare's children", lambda: state(pid.read_text().strip()) in ("Z", ""))
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/api/v1/namespaces", signal.SIGINT),
        ("/api/v1/pods", signal.SIGTERM),
        ("/apis/batch/v1/jobs", signal.SIGINT),
    ],
)
async def test_interrupted_it_leaves_the_cluster_as_it_was(
    api: Api, compare: Compare, path: str, number: signal.Signals
) -> None:
    before = await found(api, "/api/v1/namespaces")
    with compare("clusterip", "client_roundrobin") as run:
        await until(api, path, lambda objects: objects.keys() - before)
        run.signal(number)
        assert await asyncio.to_thread(run.end, LONG) == 128 + number
    assert run.lines[-1] == f"compare: ended by {number.name}; the cluster is as it was found"
    assert not [line for line in run.lines if "Traceback" in line]
    assert await found(api, "/api/v1/namespaces") == before
    assert await found(api, "/api/v1/pods") == []


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
    ("text", "message"),
    [
        ("order = ", "compare: mine/expectations.toml: Invalid value"),
        ("order = 0", "compare: mine/expectations.toml lacks picks, spread, scale_out, drills; see"),
        (None, "compare: mine/expectations.toml: [Errno 2] No such file"),
    ],
)
def test_a_strategy_that_is_half_written_is_said_in_one_line(
    refusal: Refusal, own: Path, text: str | None, message: str
) -> None:
    expectations = own / "mine" / "expectations.toml"
    if text is None:
        expectations.unlink()
    else:
        expectations.write_text(text)
    assert message in refusal(root=own)


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
def test_a_wrong_flag_is_refused_before_anything_is_measured(refusal: Refusal, args: list[str], message: str) -> None:
    assert message in refusal(*args)


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
    refusal: Refusal, tmp_path: Path, kubeconfig: str | None, message: str
) -> None:
    file = tmp_path / "config"
    if kubeconfig:
        file.write_text(kubeconfig)
    assert message in refusal(kubeconfig=str(file))


async def test_a_run_with_drills_names_what_each_strategy_missed_and_one_that_cannot_go_on_goes_alone(
    api: Api, compare: Compare, own: Path, balancer: Path, tmp_path: Path
) -> None:
    """Of `mine`, which has a balancer and a `prepare`, and promises too much; and of `gone`, whose namespace goes."""
    shutil.copytree(own / "mine", own / "gone")
    expectations = own / "mine" / "expectations.toml"
    drill = '{do = "away", component = "balancer", away = "1s", failed_attempts = 0, new_pods_within = "1s"}'
    change(expectations, 'scale_in = {do = "scale_in"}\n', f"balancer_away = {drill}\n")
    change(expectations, 'rolling_restart = {do = "rolling_restart"}\n', "")
    change(expectations, "new_pods_share = 0.0", "new_pods_share = 0.4")
    # Its client does not start without what `prepare` prints.
    config = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prepared"}, "data": {"for": "%s"}}'
    write_prepare(own / "mine", f"echo prepared >&2; printf '{config}' \"$1\"")
    env = "        env:\n"
    reference = "        - {name: FOR, valueFrom: {configMapKeyRef: {name: prepared, key: for}}}\n"
    change(own / "mine" / "manifests" / "client.yaml", env, env + reference)
    seen: list[int] = []

    async def follow() -> None:
        """How many balancers of `mine` there are."""
        async for found in api.watch("/apis/apps/v1/deployments", fieldSelector="metadata.name=greeter-balancer"):
            for deployment in found.values():
                available = deployment["status"].get("availableReplicas", 0)
                if "mine" in deployment["metadata"]["namespace"] and available not in seen[-1:]:
                    seen.append(available)

    following = asyncio.create_task(follow())
    figures = tmp_path / "figures.json"
    with compare("--drills", f"--json={figures}", root=own) as run:
        await until(api, "/apis/batch/v1/jobs", bool)
        [victim] = [name for name in await found(api, "/api/v1/namespaces", labelSelector=OURS) if "gone" in name]
        await api.request("DELETE", f"/api/v1/namespaces/{victim}")
        assert await asyncio.to_thread(run.end, 180) == 1, run.lines
    following.cancel()
    said = text(run)
    mine, gone = sorted(json.loads(figures.read_text())["rows"], key=lambda row: str(row["strategy"]), reverse=True)
    assert f"gone: namespace {victim} was deleted while it was measured in; measure again" in said
    assert gone["error"]
    assert mine["error"] == ""
    assert "prepared" in said
    assert "mine: new pods got 0.0% of the calls, expected 40.0% ± 0.0%" in run.lines
    assert any("✗" in line for line in run.lines)
    away = seen.index(0, seen.index(2))
    assert 2 in seen[away:]  # and what comes after that may be the end of all of it
    made = mine["drills"]["balancer_away"]
    assert made["back"] > made["gone"] + 1
    assert made["first_call_after_s"] == {}
    assert sorted(missed for missed in mine["missed"] if missed.startswith("balancer away")) == sorted(
        f"balancer away: new pod {pod} got no call in the 6 s after the balancer was back and it was ready, "
        "expected within 1 s"
        for pod in made["ready"]
    )
    assert len(made["ready"]) == 2
    assert "mine: balancer away: new pod" in said
    assert await found(api, "/api/v1/namespaces", labelSelector=OURS) == []


def test_a_python_that_lacks_what_compare_needs_is_said_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-S", "-m", "compare"], cwd=ROOT, capture_output=True, text=True)
    remedy = "`make tools` installs it; then it is .venv/bin/python -m compare"
    assert done.stderr == f"compare: {sys.executable} has no module lightkube; {remedy}\n"
    assert (done.returncode, done.stdout) == (2, "")
