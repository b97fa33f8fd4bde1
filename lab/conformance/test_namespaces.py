"""Namespaces: furnished when they are new, emptied before they go."""

from lab.conformance.api import Api, refused
from lab.conformance.manifests import SLEEP, configmap, container, pod
from lab.conformance.states import condition, has_default, names, phase


async def test_a_new_namespace_is_active_labelled_with_its_name_and_furnished(api: Api) -> None:
    namespace = await api.get("namespaces", api.namespace)
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] == api.namespace
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    await api.until("configmaps", lambda found: "kube-root-ca.crt" in names(found), "the CA is there")
    ca = (await api.get("configmaps", "kube-root-ca.crt"))["data"]["ca.crt"]
    assert ca.startswith("-----BEGIN CERTIFICATE-----")


async def test_the_default_service_account_comes_back_when_it_is_deleted(api: Api) -> None:
    await api.delete("serviceaccounts", "default")
    await api.until("serviceaccounts", has_default, "it is back")


async def test_a_namespace_takes_no_new_content_while_it_ends_and_then_takes_all_along(api: Api) -> None:
    held = {"name": "held", "finalizers": ["example.com/hold"]}
    await api.create("configmaps", configmap("held", metadata=held))
    await api.create("pods", pod("web", container(SLEEP)))
    await api.until_one("pods", "web", lambda p: phase(p) == "Running", "runs")
    await api.delete("namespaces", api.namespace)

    with refused(403, "Forbidden", f"in namespace {api.namespace} because it is being terminated"):
        await api.create("configmaps", configmap("late"))
    await api.until_gone("pods", "web")

    def names_the_holder(namespace: dict[str, object]) -> bool:
        message = condition(namespace, "NamespaceFinalizersRemaining").get("message", "")
        return phase(namespace) == "Terminating" and "example.com/hold in 1 resource instances" in message

    await api.until_one("namespaces", api.namespace, names_the_holder, "says what holds it")
    await api.patch("configmaps", "held", {"metadata": {"finalizers": None}})
    await api.until_gone("namespaces", api.namespace)
    with refused(404, "NotFound", 'configmaps "held" not found'):
        await api.get("configmaps", "held")


async def test_nothing_is_created_in_a_namespace_that_is_not(root: Api) -> None:
    with refused(404, "NotFound", 'namespaces "nowhere" not found'):
        await root.request("POST", "/api/v1/namespaces/nowhere/configmaps", configmap("one"))
    listed = await root.request("GET", "/api/v1/namespaces/nowhere/configmaps")
    assert listed.json()["items"] == []


async def test_the_default_namespace_may_not_be_deleted(root: Api) -> None:
    with refused(403, "Forbidden", 'namespaces "default" is forbidden: this namespace may not be deleted'):
        await root.delete("namespaces", "default", dryRun=["All"])
