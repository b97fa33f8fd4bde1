"""Which endpoints of a Service's slices are to get calls, by KEP-1672 and the API reference."""

from typing import Any

import pytest

from endpoint_watch.endpoints import Endpoint, Object, usable

READY = {"ready": True, "serving": True, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}  # drains
ENDED = {"ready": False, "serving": False, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}
GRPC = [{"name": "grpc", "port": 8000, "protocol": "TCP"}]


def endpoint(*addresses: str, conditions: Any = READY, **more: Any) -> Object:
    return {"addresses": list(addresses), "conditions": conditions, **more}


def slice_of(*endpoints: Object, ports: Any = GRPC, family: str = "IPv4") -> Object:
    return {"addressType": family, "endpoints": list(endpoints), "ports": ports}


def addresses(*slices: Object, port: str = "grpc") -> list[str]:
    return [f"{each.address}:{each.port}" for each in usable(slices, port)]


def test_the_endpoints_of_all_slices_count_and_come_sorted() -> None:
    one, two = slice_of(endpoint("10.0.0.3"), endpoint("10.0.0.1")), slice_of(endpoint("10.0.0.2"))
    assert addresses(one, two) == ["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"]
    assert addresses(two, one) == addresses(one, two)
    assert addresses() == []


def test_one_that_is_in_two_slices_while_it_moves_between_them_counts_once() -> None:
    assert addresses(slice_of(endpoint("10.0.0.1")), slice_of(endpoint("10.0.0.1"))) == ["10.0.0.1:8000"]


def test_one_that_ends_leaves_at_once_while_another_is_ready() -> None:
    ready, ending = endpoint("10.0.0.1"), endpoint("10.0.0.2", conditions=ENDING)
    assert addresses(slice_of(ready, ending)) == ["10.0.0.1:8000"]
    assert addresses(slice_of(ending), slice_of(ready)) == ["10.0.0.1:8000"]


def test_where_none_is_ready_those_that_end_and_still_serve_remain() -> None:
    ending, ended = endpoint("10.0.0.1", conditions=ENDING), endpoint("10.0.0.2", conditions=ENDED)
    unready = endpoint("10.0.0.3", conditions=UNREADY)
    assert addresses(slice_of(ending, ended, unready)) == ["10.0.0.1:8000"]


def test_those_that_do_not_serve_never_get_calls() -> None:
    assert addresses(slice_of(endpoint("a", conditions=ENDED), endpoint("b", conditions=UNREADY))) == []


@pytest.mark.parametrize("conditions", [None, {}, {"ready": None, "serving": None, "terminating": None}])
def test_one_of_which_nothing_is_known_is_ready(conditions: Any) -> None:
    assert addresses(slice_of(endpoint("10.0.0.1", conditions=conditions))) == ["10.0.0.1:8000"]
    without = {"addresses": ["10.0.0.1"]}
    assert addresses(slice_of(without)) == ["10.0.0.1:8000"]


@pytest.mark.parametrize("unknown", [{}, {"serving": None}])
def test_one_of_which_it_is_not_known_whether_it_serves_does_so_where_it_is_ready(unknown: Any) -> None:
    ending = {"terminating": True} | unknown
    assert addresses(slice_of(endpoint("10.0.0.1", conditions={"ready": True} | ending))) == ["10.0.0.1:8000"]
    assert addresses(slice_of(endpoint("10.0.0.1", conditions={"ready": False} | ending))) == []


def test_a_service_that_publishes_what_is_not_ready_gives_it_and_what_ends_leaves_all_the_same() -> None:
    """publishNotReadyAddresses: everything is `ready` then, what ends too."""
    starting = endpoint("10.0.0.1", conditions={"ready": True, "serving": False, "terminating": False})
    ending = endpoint("10.0.0.2", conditions={"ready": True, "serving": True, "terminating": True})
    ended = endpoint("10.0.0.3", conditions={"ready": True, "serving": False, "terminating": True})
    assert addresses(slice_of(starting, ending, ended)) == ["10.0.0.1:8000"]
    assert addresses(slice_of(ending, ended)) == ["10.0.0.2:8000"]


@pytest.mark.parametrize("nothing", [{"endpoints": None}, {"ports": None}, {"endpoints": None, "ports": None}])
def test_a_slice_without_endpoints_or_ports_has_none_to_give(nothing: Object) -> None:
    full = slice_of(endpoint("10.0.0.1"))
    assert addresses(full | nothing) == []
    assert addresses({key: value for key, value in full.items() if key not in nothing}) == []
    assert addresses(full | nothing, full) == ["10.0.0.1:8000"]


def test_a_slice_without_the_named_port_belongs_to_other_pods() -> None:
    """Pods that give a named target port different numbers are in different slices."""
    one = slice_of(endpoint("10.0.0.1"), ports=[{"name": "grpc", "port": 8001}, {"name": "metrics", "port": 9090}])
    two = slice_of(endpoint("10.0.0.2"), ports=[{"name": "metrics", "port": 9090}, {"name": "grpc", "port": 8002}])
    other = slice_of(endpoint("10.0.0.3"), ports=[{"name": "metrics", "port": 9090}])
    assert addresses(one, two, other) == ["10.0.0.1:8001", "10.0.0.2:8002"]
    assert addresses(one, two, other, port="metrics") == ["10.0.0.1:9090", "10.0.0.2:9090", "10.0.0.3:9090"]
    assert addresses(one, two, other, port="") == []


@pytest.mark.parametrize("unnamed", [{"port": 8000}, {"name": "", "port": 8000}, {"name": None, "port": 8000}])
def test_the_only_port_of_a_service_needs_no_name(unnamed: Object) -> None:
    assert addresses(slice_of(endpoint("10.0.0.1"), ports=[unnamed]), port="") == ["10.0.0.1:8000"]
    assert addresses(slice_of(endpoint("10.0.0.1"), ports=[unnamed])) == []


def test_a_port_without_a_number_leads_nowhere() -> None:
    assert addresses(slice_of(endpoint("10.0.0.1"), ports=[{"name": "grpc"}])) == []


def test_a_pod_of_both_address_families_counts_once_by_its_ipv4_address() -> None:
    four, six = slice_of(endpoint("10.0.0.1")), slice_of(endpoint("fd00::1"), family="IPv6")
    assert addresses(six, four) == ["10.0.0.1:8000"]


def test_pods_with_ipv6_addresses_alone_count_by_them() -> None:
    six = slice_of(endpoint("fd00::1"), endpoint("fd00::2"), family="IPv6")
    assert addresses(six) == ["fd00::1:8000", "fd00::2:8000"]
    # A Service that prefers both families has an empty slice of the one that its pods don't have.
    nothing: list[Any] = [[], None]
    for endpoints in nothing:
        assert addresses(slice_of() | {"endpoints": endpoints}, six) == ["fd00::1:8000", "fd00::2:8000"]


def test_families_are_not_mixed_while_no_pod_is_ready() -> None:
    four = slice_of(endpoint("10.0.0.1", conditions=UNREADY))
    assert addresses(four, slice_of(endpoint("fd00::1"), family="IPv6")) == []


def test_names_are_no_addresses() -> None:
    named = slice_of(endpoint("greeter.example"), family="FQDN")
    assert addresses(named) == []
    assert addresses(named, slice_of(endpoint("10.0.0.1"))) == ["10.0.0.1:8000"]


def test_the_zone_is_kept_where_there_is_one() -> None:
    with_zone, without = endpoint("10.0.0.1", zone="eu-1a"), endpoint("10.0.0.2", zone=None)
    assert usable([slice_of(with_zone, without)], "grpc") == (
        Endpoint("10.0.0.1", 8000, "eu-1a"),
        Endpoint("10.0.0.2", 8000, ""),
    )


def test_of_several_addresses_of_one_endpoint_the_first_is_enough() -> None:
    assert addresses(slice_of(endpoint("10.0.0.1", "10.0.0.9"))) == ["10.0.0.1:8000"]
