"""What is read from a demo's objects: greeters that are ready, pods that never will be, the edge's address."""

from typing import Any

import pytest

from compare.namespace import address
from compare.pods import hopeless, ready


def slice_(ports: dict[str, int] | None, **conditions: Any) -> dict[str, Any]:
    listed = None if ports is None else [{"name": name, "port": port} for name, port in ports.items()]
    return {"ports": listed, "endpoints": [{"addresses": ["10.0.0.1"], "conditions": conditions}]}


def test_a_greeter_has_the_port_of_its_name_wherever_that_is_listed() -> None:
    assert ready([slice_({"metrics": 9090, "grpc": 8000}, ready=True)]) == {"10.0.0.1": 8000}


def test_a_slice_without_the_port_is_of_other_pods() -> None:
    assert ready([slice_({"grpclb": 9000}, ready=True)]) == {}
    assert ready([slice_({"": 8000}, ready=True)]) == {}
    assert ready([slice_(None, ready=True)]) == {}


def test_what_is_not_ready_and_a_slice_without_endpoints_count_for_nothing() -> None:
    assert ready([slice_({"grpc": 8000}, ready=False), slice_({"grpc": 8000})]) == {}
    assert ready([slice_({"grpc": 8000}) | {"endpoints": None}]) == {}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({}, ""),
        ({"loadBalancer": {}}, ""),
        ({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, "10.0.0.1"),
        ({"loadBalancer": {"ingress": [{"hostname": "edge.example.com"}]}}, "edge.example.com"),
        ({"addresses": [{"type": "IPAddress", "value": "10.0.0.2"}]}, "10.0.0.2"),
    ],
)
def test_the_address_of_an_ingress_or_gateway_is_in_its_status(status: dict[str, object], found: str) -> None:
    assert address({"status": status}) == found


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("ImagePullBackOff", "k8s/load"),
        ("ErrImageNeverPull", "k8s/load"),
        ("CreateContainerConfigError", "mend the manifest"),
        ("ContainerCreating", ""),
        ("CrashLoopBackOff", ""),
    ],
)
def test_only_what_waiting_cannot_mend_is_hopeless(reason: str, remedy: str) -> None:
    container = {"image": "i", "state": {"waiting": {"reason": reason, "message": "m"}}}
    for field in ("containerStatuses", "initContainerStatuses"):
        said = hopeless([{"metadata": {"name": "p"}, "status": {field: [container]}}])
        assert said == (f"pod p: {reason}: m; {said.rpartition('; ')[2]}" if remedy else "")
        assert remedy in said
