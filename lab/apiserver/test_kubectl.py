"""The real kubectl against the lab's API: what people type to apply and to look, and what they see."""

import asyncio
import json
import re

import pytest

from lab.testing import until
from lab.testing.hollow import HollowLab
from lab.testing.kubectl import JOB, MISSING, WEB, Kubectl, apply, rolled_out

pytestmark = pytest.mark.skipif(MISSING, reason="kubectl is not on PATH")


async def test_apply_creates_and_then_changes_only_what_differs(kubectl: Kubectl) -> None:
    assert await apply(kubectl, WEB) == "deployment.apps/web created\nservice/web created\n"
    assert await apply(kubectl, WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    changed = WEB.replace("replicas: 2", "replicas: 3")
    assert await apply(kubectl, changed) == "deployment.apps/web configured\nservice/web unchanged\n"


async def test_get_shows_the_columns_that_people_know(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    table = (await kubectl("get", "deployments,pods,services")).out
    lines = [re.split(r"\s{2,}", line.rstrip()) for line in table.splitlines() if line]
    assert lines[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1][:4] == ["deployment.apps/web", "2/2", "2", "2"]
    assert lines[2] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[3][1:4] == ["1/1", "Running", "0"]
    assert lines[5] == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert lines[6][:2] == ["service/kubernetes", "ClusterIP"]
    assert lines[6][3:5] == ["<none>", "443/TCP"]
    wide = (await kubectl("get", "deployment", "web", "-o", "wide")).out.splitlines()
    assert wide[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide[1].split()[5:] == ["web", "greeter:dev", "app=web"]


async def test_get_in_every_form(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    assert (await kubectl("get", "deploy", "web", "-o", "name")).out == "deployment.apps/web\n"
    assert json.loads((await kubectl("get", "deploy", "web", "-o", "json")).out)["spec"]["replicas"] == 2
    assert "replicas: 2" in (await kubectl("get", "deploy", "web", "-o", "yaml")).out
    path = "jsonpath={.items[*].metadata.labels.app}"
    assert (await kubectl("get", "pods", "-o", path)).out == "web web"
    assert (await kubectl("get", "pods", "-l", "app=other")).err == "No resources found in default namespace.\n"
    assert len((await kubectl("get", "pods", "-l", "app in (web)", "--no-headers")).out.splitlines()) == 2
    running = await kubectl("get", "pods", "-A", "--field-selector", "status.phase=Running", "--no-headers")
    assert len(running.out.splitlines()) == 2
    everything = (await kubectl("get", "all")).out
    assert all(f"{kind}/" in everything for kind in ("pod", "service", "deployment.apps", "replicaset.apps"))
    custom = await kubectl("get", "svc", "web", "-o", "custom-columns=PORT:.spec.ports[0].port", "--no-headers")
    assert custom.out == "80\n"
    missing = await kubectl("get", "pod", "nobody", fails=True)
    assert missing.err == 'Error from server (NotFound): pods "nobody" not found\n'


async def test_a_watch_prints_what_changes(kubectl: Kubectl) -> None:
    watching = asyncio.ensure_future(kubectl("get", "pods", "-w", "--request-timeout=8s"))  # its end
    await rolled_out(kubectl)
    lines = (await watching).out.splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [line for line in lines if "Running" in line]
    assert len([line for line in lines if "NAME" in line]) == 1


async def test_describe(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    await apply(kubectl, JOB)
    for what in ("deployment/web", "service/web", "namespace/default", "node/lab", "job/once"):
        described = await kubectl("describe", what)
        assert re.search(rf"^Name:\s+{what.split('/')[1]}$", described.out, re.MULTILINE)
        assert described.err == ""


async def test_events(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    for command in (("describe", "pods", "-l", "app=web"), ("get", "events"), ("events",)):
        assert "Successfully assigned default/web-" in (await kubectl(*command)).out


async def test_logs(kubectl: Kubectl, lab: HollowLab) -> None:
    await rolled_out(kubectl)
    assert (await kubectl("logs", "deploy/web")).out == "one\ntwo\nthree\n"
    assert (await kubectl("logs", "deploy/web", "--tail=1", "-c", "web")).out == "three\n"
    stamped = (await kubectl("logs", "deploy/web", "--timestamps", "--tail=1")).out
    assert stamped == "2026-01-02T03:04:02.000000000Z three\n"
    assert (await kubectl("logs", "-l", "app=web", "--prefix")).out.count("/web] three\n") == 2
    previous = await kubectl("logs", "deploy/web", "--previous", fails=True)
    assert 'previous terminated container "web" in pod "web-' in previous.err
    wrong = await kubectl("logs", "deploy/web", "-c", "nope", fails=True)
    assert "container nope is not valid for pod web-" in wrong.err
    await apply(kubectl, JOB)
    await until(lambda: lab.store.get("jobs", "default", "once").get("status", {}).get("succeeded"), "the Job's end")
    assert (await kubectl("logs", "-f", "job/once")).out == "one\ntwo\nthree\n"


async def test_diff_shows_what_apply_would_do_and_does_not_do_it(kubectl: Kubectl, lab: HollowLab) -> None:
    await apply(kubectl, WEB)
    same = await kubectl("diff", "-f", "-", stdin=WEB)
    assert same.out == ""
    version = lab.store.get("deployments", "default", "web")["metadata"]["resourceVersion"]
    differs = await kubectl("diff", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: 7"), fails=True)
    assert "\n-  replicas: 2\n+  replicas: 7\n" in differs.out
    assert [line for line in differs.out.splitlines() if "resourceVersion" in line and line[0] in "+-"] == []
    new = await kubectl("diff", "-f", "-", stdin=JOB, fails=True)
    assert "\n+kind: Job\n" in new.out
    assert lab.store.find("jobs", "default", "once") is None
    assert lab.store.get("deployments", "default", "web")["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("command", ["apply", "diff"])
async def test_server_side_apply_is_refused_in_one_line_with_a_remedy(kubectl: Kubectl, command: str) -> None:
    said = await kubectl(command, "-f", "-", "--server-side", stdin=JOB, fails=True)
    assert "the lab has no server-side apply (application/apply-patch+yaml): leave out --server-side" in said.err
    assert len(said.err.splitlines()) == 1


async def test_what_the_server_says_of_itself(kubectl: Kubectl) -> None:
    resources = (await kubectl("api-resources", "--no-headers")).out
    assert re.search(r"^deployments\s+deploy\s+apps/v1\s+true\s+Deployment$", resources, re.MULTILINE)
    assert re.search(r"^pods\s+po\s+v1\s+true\s+Pod$", resources, re.MULTILINE)
    assert "apps/v1\n" in (await kubectl("api-versions")).out
    assert "Server Version: v1.34" in (await kubectl("version")).out
    assert (await kubectl("auth", "can-i", "delete", "pods")).out == "yes\n"
    explained = (await kubectl("explain", "deployment.spec.strategy.rollingUpdate.maxSurge")).out
    assert "The maximum number of pods that can be scheduled above the desired number of" in explained
    kind = (await kubectl("explain", "deployment.kind")).out
    assert "FIELD: kind <string>" in kind
    assert "ENUM" not in kind
