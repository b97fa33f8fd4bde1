"""The DNS server of tests: the names of balancers beside those of a service."""

from dnslib import QTYPE, DNSRecord

from testing.dns import Names, dns

BALANCERS = [("10.0.0.1", 9000), ("10.0.0.2", 9001)]


def ask(names: Names, name: str, kind: str) -> DNSRecord:
    host, _, port = names.server.partition(":")
    return DNSRecord.parse(DNSRecord.question(name, kind).send(host, int(port), timeout=5))


def test_balancers_are_named_by_srv_each_with_a_target_of_its_own_and_its_address() -> None:
    with dns(["10.0.0.9"]) as names:
        names.balancers = BALANCERS
        answer = ask(names, "_grpclb._tcp.greeter-server.shop", "SRV")
        assert [(str(record.rdata.target), record.rdata.port) for record in answer.rr] == [
            ("10-0-0-1.greeter-server.shop.", 9000),
            ("10-0-0-2.greeter-server.shop.", 9001),
        ]
        assert {str(record.rname): str(record.rdata) for record in answer.ar if record.rtype == QTYPE.A} == {
            "10-0-0-1.greeter-server.shop.": "10.0.0.1",
            "10-0-0-2.greeter-server.shop.": "10.0.0.2",
        }
        [target] = ask(names, "10-0-0-2.greeter-server.shop", "A").rr
        assert str(target.rdata) == "10.0.0.2"
        assert (len(names.asked), len(names.asked_srv)) == (0, 1)  # a target is not the service
        [server] = ask(names, "greeter-server.shop", "A").rr
        assert str(server.rdata) == "10.0.0.9"
        assert (len(names.asked), len(names.asked_srv)) == (1, 1)


def test_without_balancers_and_of_other_names_and_kinds_there_is_nothing_but_addresses() -> None:
    with dns(["10.0.0.9"]) as names:
        assert not ask(names, "_grpclb._tcp.greeter-server", "SRV").rr
        [record] = ask(names, "10-0-0-1.greeter-server", "A").rr
        assert str(record.rdata) == "10.0.0.9"
        names.balancers = BALANCERS
        for name, kind in [("greeter-server", "SRV"), ("_grpc._tcp.greeter-server", "SRV"), ("greeter-server", "AAAA")]:
            answer = ask(names, name, kind)
            assert (answer.rr, answer.ar) == ([], []), (name, kind)
