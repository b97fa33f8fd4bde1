"""EndpointSlices: which pods a Service has, and in which state (KEP-752, KEP-1672)."""

from typing import Any

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, job, pod, python, service
from lab.conformance.states import holds, ready

NEVER_READY = {"exec": {"command": python("raise SystemExit(1)")}, "periodSeconds": 1}
# Ends a while after it is told to.
SLOW_TO_END = (
    "import signal, sys, time\nsignal.signal(15, lambda *_: (time.sleep(3), sys.exit(0)))\nwhile True: time.sleep(0.1)"
)
READY = {"ready": True, "serving": True, "terminating": False}
UNREADY = {"ready": False, "serving": False, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}


def endpoints(slices: list[Object]) -> dict[str, Object]:
    """Conditions by the name of the pod, of all slices together."""
    return {e["targetRef"]["name"]: e["conditions"] for s in slices for e in s.get("endpoints") or []}


async def until_endpoints(api: Api, wanted: dict[str, Any], name: str = "web") -> list[Object]:
    def are(slices: list[Object]) -> list[Object]:
        return slices if slices and endpoints(slices) == wanted else []

    label = f"kubernetes.io/service-name={name}"
    return await api.until("endpointslices", are, f"endpoints {wanted}", labelSelector=label)


def member(name: str, *containers: Object, **spec: Any) -> Object:
    return pod(name, *containers, labels={"app": "web"}, **spec)


async def test_a_ready_pod_is_an_endpoint_with_its_address_node_and_port(api: Api) -> None:
    made = await api.create("services", service("web", 80, "http"))
    await api.create("pods", member("one", container(SLEEP, ports=[{"name": "http", "containerPort": 8080}])))
    (found,) = await until_endpoints(api, {"one": READY})
    one = await api.get("pods", "one")
    (endpoint,) = found["endpoints"]
    assert endpoint["addresses"] == [one["status"]["podIP"]]
    assert endpoint["nodeName"] == one["spec"]["nodeName"]
    assert endpoint["targetRef"] == {
        "kind": "Pod",
        "namespace": api.namespace,
        "name": "one",
        "uid": one["metadata"]["uid"],
    }
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "grpc", "port": 8080, "protocol": "TCP"}]
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Service", made["metadata"]["uid"])
    labels = found["metadata"]["labels"]
    assert labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert found["metadata"]["name"].startswith("web-")


async def test_a_headless_services_slices_say_so(api: Api) -> None:
    await api.create("services", service("web", clusterIP="None"))
    (found,) = await until_endpoints(api, {})
    assert found["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


async def test_a_pod_that_is_not_ready_is_named_so(api: Api) -> None:
    await api.create("services", service("web"))
    await api.create("pods", member("one", container(SLEEP)))
    await api.create("pods", member("two", container(SLEEP, readinessProbe=NEVER_READY)))
    await until_endpoints(api, {"one": READY, "two": UNREADY})


async def test_pods_that_are_not_ready_are_published_where_so_asked(api: Api) -> None:
    await api.create("services", service("web", publishNotReadyAddresses=True))
    await api.create("pods", member("one", container(SLEEP, readinessProbe=NEVER_READY)))
    await until_endpoints(api, {"one": {"ready": True, "serving": False, "terminating": False}})


async def test_a_pod_that_ends_serves_on_until_it_is_gone(api: Api) -> None:
    await api.create("services", service("web"))
    await api.create("pods", member("one", container(python(SLOW_TO_END)), terminationGracePeriodSeconds=20))
    await until_endpoints(api, {"one": READY})
    async with api.recording("endpointslices") as slices:
        await api.delete("pods", "one")
        await slices.until(lambda found: endpoints(found) == {"one": DRAINING}, "it drains")
        await slices.until(lambda found: endpoints(found) == {}, "it is gone")
    assert {"one": READY} not in [endpoints([event["object"]]) for event in slices.events]


async def test_a_draining_pod_of_a_service_that_publishes_all_is_still_ready(api: Api) -> None:
    await api.create("services", service("web", publishNotReadyAddresses=True))
    await api.create("pods", member("one", container(python(SLOW_TO_END)), terminationGracePeriodSeconds=20))
    await until_endpoints(api, {"one": READY})
    async with api.recording("endpointslices") as slices:
        await api.delete("pods", "one")
        draining = {"ready": True, "serving": True, "terminating": True}
        await slices.until(lambda found: endpoints(found) == {"one": draining}, "it drains")


async def test_a_pod_that_has_finished_does_not_serve(api: Api) -> None:
    await api.create("services", service("web", selector={"job-name": "once"}))
    async with api.recording("endpointslices") as slices:
        await api.create("jobs", job("once", python("import time; time.sleep(3)")))
        await slices.until(lambda found: READY in endpoints(found).values(), "its pod is ready")
        await slices.until(lambda found: READY not in endpoints(found).values(), "its pod is ready no more")
        await api.until_one("jobs", "once", lambda j: holds(j, "Complete"), "completes")
        assert all(conditions == UNREADY for conditions in endpoints(slices.objects).values())


async def test_pods_come_and_go_with_their_labels(api: Api) -> None:
    await api.create("services", service("web"))
    await api.create("pods", pod("one", container(SLEEP)))
    await api.until_one("pods", "one", ready, "is ready")
    await until_endpoints(api, {})
    await api.patch("pods", "one", {"metadata": {"labels": {"app": "web"}}})
    await until_endpoints(api, {"one": READY})
    await api.patch("services", "web", {"spec": {"selector": {"app": "other"}}})
    await until_endpoints(api, {})


async def test_a_named_port_is_looked_up_in_each_pod(api: Api) -> None:
    await api.create("services", service("web", 80, "http"))
    for name, number in {"one": 8001, "two": 8002}.items():
        await api.create("pods", member(name, container(SLEEP, ports=[{"name": "http", "containerPort": number}])))
    slices = await until_endpoints(api, {"one": READY, "two": READY})
    ports = {s["endpoints"][0]["targetRef"]["name"]: s["ports"][0]["port"] for s in slices}
    assert ports == {"one": 8001, "two": 8002}


async def test_a_service_without_a_selector_has_no_slices_of_its_own(api: Api) -> None:
    await api.create("services", service("web", selector=None))
    await api.create("services", service("after"))
    await until_endpoints(api, {}, "after")
    assert [
        s["metadata"]["labels"]["kubernetes.io/service-name"] for s in (await api.list("endpointslices"))["items"]
    ] == ["after"]


async def test_slices_go_with_their_service(api: Api) -> None:
    await api.create("services", service("web"))
    await until_endpoints(api, {})
    await api.delete("services", "web")
    await api.until("endpointslices", lambda slices: not slices, "its slices are gone")
