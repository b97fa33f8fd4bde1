"""The records of the zone, as the Kubernetes DNS specification and CoreDNS have them."""

from typing import Any

import pytest
from dnslib import QTYPE, RCODE

from lab.apimachinery.store import Object, Store
from lab.coredns.records import Answer, Records

SVC = "svc.cluster.local."


def service(store: Store, name: str = "web", ip: str = "None", **spec: Any) -> None:
    ports = [{"name": "grpc", "port": 8080, "protocol": "TCP"}, {"name": "admin", "port": 81, "protocol": "TCP"}]
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": name}}
    store.create("services", obj | {"spec": {"clusterIP": ip, "ports": ports, "type": "ClusterIP"} | spec})


def endpoint(address: str, *, ready: bool | None = True, **fields: Any) -> Object:
    conditions = {} if ready is None else {"ready": ready}
    return {"addresses": [address], "conditions": conditions} | fields


def slice_(store: Store, *endpoints: Object, name: str = "web-1", ports: list[Object] | None = None) -> None:
    meta = {"namespace": "shop", "name": name, "labels": {"kubernetes.io/service-name": "web"}}
    obj: Object = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
    ports = [{"name": "grpc", "port": 8000, "protocol": "TCP"}] if ports is None else ports
    store.create("endpointslices", obj | {"addressType": "IPv4", "ports": ports, "endpoints": list(endpoints)})


def ask(store: Store, name: str, qtype: str = "A") -> Answer:
    return Records(store, 30).lookup(name, getattr(QTYPE, qtype))


def values(store: Store, name: str, qtype: str = "A") -> list[str]:
    answer = ask(store, name, qtype)
    assert answer.rcode == RCODE.NOERROR
    return [str(record.rdata) for record in answer.records]


def test_a_service_with_an_address_has_that_whether_it_has_endpoints_or_not(store: Store) -> None:
    service(store, ip="127.64.0.9")
    assert values(store, f"web.shop.{SVC}") == ["127.64.0.9"]


def test_a_headless_service_has_the_ready_endpoints_of_all_its_slices(store: Store) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", ready=False))
    slice_(store, endpoint("127.64.0.4", ready=None), endpoint("127.64.0.2"), name="by-hand")
    assert sorted(values(store, f"web.shop.{SVC}")) == ["127.64.0.2", "127.64.0.4"]


def test_records_have_the_ttl_of_the_corefile(store: Store) -> None:
    service(store, ip="127.64.0.9")
    assert [record.ttl for record in ask(store, f"web.shop.{SVC}").records] == [30]
    assert [record.ttl for record in ask(store, f"nope.shop.{SVC}").authority] == [30]


@pytest.mark.parametrize(
    "name",
    [
        f"nope.shop.{SVC}",
        f"web.nowhere.{SVC}",
        f"nowhere.{SVC}",
        f"127-64-0-3.web.shop.{SVC}",
        f"_nope._tcp.web.shop.{SVC}",
        f"a.b.c.web.shop.{SVC}",
        "web.shop.cluster.local.",
        "web.cluster.local.",
    ],
)
def test_what_there_is_not_has_no_name(store: Store, name: str) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", ready=False))
    answer = ask(store, name)
    assert (answer.rcode, answer.records) == (RCODE.NXDOMAIN, [])
    assert [record.rtype for record in answer.authority] == [QTYPE.SOA]


def test_a_headless_service_without_ready_endpoints_has_no_name(store: Store) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.3", ready=False))
    assert ask(store, f"web.shop.{SVC}").rcode == RCODE.NXDOMAIN


@pytest.mark.parametrize(
    "name", [f"web.shop.{SVC}", f"shop.{SVC}", SVC, "cluster.local.", f"127-64-0-2.web.shop.{SVC}"]
)
def test_a_name_that_is_there_has_no_ipv6_address(store: Store, name: str) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.2"))
    answer = ask(store, name, "AAAA")
    assert (answer.rcode, answer.records) == (RCODE.NOERROR, [])
    assert [record.rtype for record in answer.authority] == [QTYPE.SOA]


def test_each_endpoint_has_a_name_of_its_own(store: Store) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", hostname="one"))
    assert values(store, f"127-64-0-2.web.shop.{SVC}") == ["127.64.0.2"]
    assert values(store, f"one.web.shop.{SVC}") == ["127.64.0.3"]
    assert ask(store, f"127-64-0-3.web.shop.{SVC}").rcode == RCODE.NXDOMAIN


def test_srv_records_name_the_endpoints_and_come_with_their_addresses(store: Store) -> None:
    service(store)
    slice_(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", hostname="one"))
    name = f"_grpc._tcp.web.shop.{SVC}"
    targets = [f"127-64-0-2.web.shop.{SVC}", f"one.web.shop.{SVC}"]
    assert values(store, name, "SRV") == [f"0 50 8000 {target}" for target in targets]
    additional = ask(store, name, "SRV").additional
    assert [(str(a.rname), str(a.rdata)) for a in additional] == [
        (targets[0], "127.64.0.2"),
        (targets[1], "127.64.0.3"),
    ]


def test_the_srv_record_of_a_service_with_an_address_names_the_service(store: Store) -> None:
    service(store, ip="127.64.0.9")
    assert values(store, f"_grpc._tcp.web.shop.{SVC}", "SRV") == [f"0 100 8080 web.shop.{SVC}"]
    assert values(store, f"_admin._tcp.web.shop.{SVC}", "SRV") == [f"0 100 10081 web.shop.{SVC}"]  # where it listens
    assert ask(store, f"_grpc._udp.web.shop.{SVC}", "SRV").rcode == RCODE.NXDOMAIN


def test_a_headless_service_without_ports_has_addresses_and_no_srv_records(store: Store) -> None:
    service(store, ports=[])
    slice_(store, endpoint("127.64.0.2"), ports=[])
    assert values(store, f"web.shop.{SVC}") == ["127.64.0.2"]
    assert values(store, f"web.shop.{SVC}", "SRV") == []


def test_an_empty_slice_with_nulls_is_understood(store: Store) -> None:
    service(store)
    slice_(store)
    store.mutate("endpointslices", "shop", "web-1", lambda s: s.update(endpoints=None, ports=None))
    assert ask(store, f"web.shop.{SVC}").rcode == RCODE.NXDOMAIN


def test_an_external_name_is_an_alias(store: Store) -> None:
    service(store, ip="127.64.0.9")
    service(store, "out", type="ExternalName", externalName="example.com")
    service(store, "alias", type="ExternalName", externalName=f"web.shop.{SVC}".rstrip("."))
    service(store, "broken", type="ExternalName", externalName=f"nope.shop.{SVC}")
    assert values(store, f"out.shop.{SVC}") == ["example.com."]
    assert values(store, f"alias.shop.{SVC}") == [f"web.shop.{SVC}", "127.64.0.9"]
    assert values(store, f"broken.shop.{SVC}") == []


def test_a_pod_has_the_name_of_its_address(store: Store) -> None:
    assert values(store, "127-64-0-2.shop.pod.cluster.local.") == ["127.64.0.2"]
    assert ask(store, "web.shop.pod.cluster.local.").rcode == RCODE.NXDOMAIN
