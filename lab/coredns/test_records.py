"""The records of the zone, as the Kubernetes DNS specification and CoreDNS have them."""

import pytest
from dnslib import QTYPE, RCODE

from lab.apimachinery.store import Object, Store
from lab.coredns.records import Answer, Records
from lab.testing import create_service, create_slice

SVC = "svc.cluster.local."


def endpoint(address: str, *, ready: bool | None = True) -> Object:
    return {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}


def ask(store: Store, name: str, qtype: str = "A") -> Answer:
    return Records(store, 30).lookup(name, getattr(QTYPE, qtype))


def values(store: Store, name: str, qtype: str = "A") -> list[str]:
    answer = ask(store, name, qtype)
    assert answer.rcode == RCODE.NOERROR
    return [str(record.rdata) for record in answer.records]


def test_a_headless_service_has_the_ready_endpoints_of_all_its_slices(store: Store) -> None:
    create_service(store)
    create_slice(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", ready=False))
    create_slice(store, endpoint("127.64.0.4", ready=None), endpoint("127.64.0.2"), name="by-hand")
    assert sorted(values(store, f"web.shop.{SVC}")) == ["127.64.0.2", "127.64.0.4"]


@pytest.mark.parametrize(
    "name",
    [
        f"nowhere.{SVC}",
        f"127-64-0-3.web.shop.{SVC}",
        f"_nope._tcp.web.shop.{SVC}",
        f"_grpc._udp.web.shop.{SVC}",
        f"a.b.c.web.shop.{SVC}",
        "web.shop.cluster.local.",
        "127-64-0-2.shop.pod.cluster.local.",
    ],
)
def test_what_there_is_not_has_no_name(store: Store, name: str) -> None:
    create_service(store)
    create_slice(store, endpoint("127.64.0.2"), endpoint("127.64.0.3", ready=False))
    answer = ask(store, name)
    assert (answer.rcode, answer.records) == (RCODE.NXDOMAIN, [])
    assert [(record.rtype, record.ttl) for record in answer.authority] == [(QTYPE.SOA, 30)]


def test_an_empty_slice_with_nulls_is_understood(store: Store) -> None:
    create_service(store)
    create_slice(store)
    store.mutate("endpointslices", "shop", "web", lambda s: s.update(endpoints=None, ports=None))
    assert ask(store, f"web.shop.{SVC}").rcode == RCODE.NXDOMAIN


def test_an_external_name_is_an_alias(store: Store) -> None:
    create_service(store, "out", type="ExternalName", externalName="Example.com")
    assert [values(store, f"out.shop.{SVC}", kind) for kind in ("A", "CNAME")] == [["example.com."]] * 2
    assert values(store, f"out.shop.{SVC}", "SRV") == []
