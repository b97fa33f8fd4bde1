"""The real kubectl against the lab's API: creating and rolling out."""

import pytest

from lab.testing.hollow import HollowLab
from lab.testing.kubectl import MISSING, Kubectl, rolled_out

pytestmark = pytest.mark.skipif(MISSING, reason="kubectl is not on PATH")


async def test_scale_and_the_rollout_commands(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    assert (await kubectl("scale", "deployment/web", "--replicas=3")).out == "deployment.apps/web scaled\n"
    assert (await kubectl("set", "env", "deploy/web", "MODE=b")).out == "deployment.apps/web env updated\n"
    assert (await kubectl("set", "image", "deploy/web", "web=greeter:2")).out == "deployment.apps/web image updated\n"
    assert (await kubectl("rollout", "restart", "deploy/web")).out == "deployment.apps/web restarted\n"
    status = (await kubectl("rollout", "status", "deploy/web", "--timeout=20s")).out
    assert status.endswith('deployment "web" successfully rolled out\n')
    history = (await kubectl("rollout", "history", "deploy/web")).out.splitlines()
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2", "3", "4"]
    assert (
        await kubectl("rollout", "undo", "deploy/web", "--to-revision=1")
    ).out == "deployment.apps/web rolled back\n"
    path = "jsonpath={.spec.template.spec.containers[0].image} {.spec.replicas}"
    assert (await kubectl("get", "deploy", "web", "-o", path)).out == "greeter:dev 3"
    missing = await kubectl("scale", "deploy/nope", "--replicas=1", fails=True)
    assert 'deployments.apps "nope" not found' in missing.err


async def test_create(kubectl: Kubectl, lab: HollowLab) -> None:
    assert (await kubectl("create", "namespace", "shop")).out == "namespace/shop created\n"
    again = await kubectl("create", "namespace", "shop", fails=True)
    assert again.err == 'Error from server (AlreadyExists): namespaces "shop" already exists\n'
    await kubectl("create", "secret", "generic", "key", "--from-literal=a=b", "-n", "shop")
    assert lab.store.get("secrets", "shop", "key")["data"] == {"a": "Yg=="}
    await kubectl("create", "configmap", "settings", "--from-literal=a=b", "-n", "shop")
    assert lab.store.get("configmaps", "shop", "settings")["data"] == {"a": "b"}
    await kubectl("create", "deployment", "web", "--image=greeter:dev", "--replicas=0", "--port=8000")
    assert lab.store.get("deployments", "default", "web")["spec"]["replicas"] == 0
    await kubectl("create", "service", "clusterip", "web", "--tcp=80:8000")
    assert lab.store.get("services", "default", "web")["spec"]["ports"][0]["targetPort"] == 8000
    await kubectl("create", "job", "once", "--image=greeter:dev", "--", "python", "-c", "1")
    command = lab.store.get("jobs", "default", "once")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command == ["python", "-c", "1"]
    await kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    await kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:default")
    await kubectl("create", "serviceaccount", "greeter")
