"""Which of a Service's addresses are greeters that are ready."""

from typing import Any

from compare.endpoints import ready


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
