"""Lists and their selectors."""

import pytest

from lab.conformance.api import Api, refused
from lab.conformance.manifests import SLEEP, configmap, container, pod
from lab.conformance.states import names, phase


async def furnish(api: Api) -> None:
    for name, labels in {"a": {"tier": "web", "env": "test"}, "b": {"tier": "db"}, "c": {}}.items():
        await api.create("configmaps", configmap(name, metadata={"name": name, "labels": labels}))


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier=web", ["a"]),
        ("tier==db", ["b"]),
        ("tier!=web", ["b", "c", "kube-root-ca.crt"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c", "kube-root-ca.crt"]),
        ("tier in (web, db),!env", ["b"]),
        ("tier notin (web)", ["b", "c", "kube-root-ca.crt"]),
    ],
)
async def test_a_label_selector_selects(api: Api, selector: str, found: list[str]) -> None:
    await furnish(api)
    assert names((await api.list("configmaps", labelSelector=selector))["items"]) == found


async def test_a_field_selector_selects_pods_by_their_phase(api: Api) -> None:
    await api.create("pods", pod("sleeps", container(SLEEP)))
    await api.create("pods", pod("lost", container(SLEEP), nodeSelector={"kubernetes.io/hostname": "nowhere"}))
    await api.until_one("pods", "sleeps", lambda p: phase(p) == "Running", "runs")
    assert names((await api.list("pods", fieldSelector="status.phase=Running"))["items"]) == ["sleeps"]
    assert names((await api.list("pods", fieldSelector="metadata.name!=sleeps"))["items"]) == ["lost"]


async def test_selectors_that_make_no_sense_are_refused(api: Api) -> None:
    with refused(400, "BadRequest", "field label not supported: spec.colour"):
        await api.list("pods", fieldSelector="spec.colour=red")
    with refused(400, "BadRequest", "unable to parse requirement"):
        await api.list("configmaps", labelSelector="tier in web")


async def test_a_list_has_its_own_kind_and_version_and_its_items_need_none(api: Api) -> None:
    listed = await api.list("configmaps")
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "ConfigMapList")
    assert "kind" not in listed["items"][0]


async def test_a_table_has_the_columns_that_kubectl_prints(api: Api) -> None:
    await api.create("pods", pod("sleeps", container(SLEEP), container(SLEEP, "too")))
    await api.until_one("pods", "sleeps", lambda p: phase(p) == "Running", "runs")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = (await api.request("GET", api.path("pods"), headers={"Accept": accept})).json()
    columns = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert table["kind"] == "Table"
    assert columns == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"][:4] == ["sleeps", "2/2", "Running", "0"]
