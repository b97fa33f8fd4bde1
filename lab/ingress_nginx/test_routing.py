"""Which calls go where: hosts, paths, Services, endpoints; and what is said where that can't be."""

import datetime
import threading
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest
from lightkube.codecs import from_dict
from lightkube.resources.discovery_v1 import EndpointSlice
from lightkube.resources.networking_v1 import Ingress

from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from lab.ingress_nginx.conftest import CLASS, Edge, path, tls_secret
from testing.channels import fault, outcomes
from testing.processes import greeters, wait_until

NOT_FOUND = "UNIMPLEMENTED: Received http2 header with status: 404"
NO_ENDPOINTS = "UNAVAILABLE: Received http2 header with status: 503"


@pytest.fixture(scope="module")
def three() -> Iterator[list[str]]:
    """The addresses of three greeters."""
    with greeters(3) as started:
        yield [address for _, address in started]


def ip(address: str) -> str:
    return address.rpartition(":")[0]


def test_calls_of_one_channel_are_spread_evenly(edge: Edge, three: list[str]) -> None:
    edge.service(*three)
    edge.ingress()
    with edge.channel() as channel:
        assert outcomes(channel, 300) == Counter({ip(address): 100 for address in three})


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([("/helloworld.Greeter", "Prefix", "b"), ("/", "Prefix", "a")], "b"),
        ([("/", "Prefix", "a"), ("/helloworld.Greeter/", "Prefix", "b")], "b"),
        ([("/helloworld.Greet", "Prefix", "b"), ("/", "Prefix", "a")], "a"),  # an element is whole
        ([("/helloworld.Greeter/SayHello", "Exact", "b"), ("/helloworld.Greeter", "Prefix", "a")], "b"),
        ([("/helloworld.Greeter", "Exact", "b"), ("/", "Prefix", "a")], "a"),
        ([("/helloworld.Greeter/SayHello", "Prefix", "b"), ("/helloworld.Greeter", "Prefix", "a")], "b"),
        ([("/helloworld.Greeter", "ImplementationSpecific", "b"), ("/", "Prefix", "a")], "b"),
        ([("/helloworld.Other", "Prefix", "a")], ""),
    ],
)
def test_the_longest_path_wins_and_a_prefix_is_one_of_elements(
    edge: Edge, three: list[str], paths: list[tuple[str, str, str]], expected: str
) -> None:
    edge.service(three[0], name="a")
    edge.service(three[1], name="b")
    edge.ingress(*(path(service, at, kind) for at, kind, service in paths))
    assert edge.answer().startswith({"a": ip(three[0]), "b": ip(three[1]), "": NOT_FOUND}[expected])


def test_a_host_is_its_own_and_a_star_is_one_label(edge: Edge, three: list[str]) -> None:
    edge.service(three[0], name="a")
    edge.service(three[1], name="b")
    domain = f"{edge.namespace}.example.com"
    edge.ingress(path("a"), name="star", host=f"*.{domain}")
    edge.ingress(path("b"), name="one", host=f"one.{domain}")
    certified = edge.ca.issue_cert(f"*.{domain}", f"a.b.{domain}")
    edge.create(tls_secret("domain", certified))
    patch = {"spec": {"tls": [{"secretName": "domain"}]}}
    for name in ("star", "one"):
        edge.client.patch(Ingress, name, patch, namespace=edge.namespace)
    edge.until(ip(three[1]), host=f"one.{domain}")
    edge.until(ip(three[0]), host=f"other.{domain}")
    assert "CERTIFICATE_VERIFY_FAILED" in edge.answer(host=f"a.b.{domain}")  # nobody's: the controller's own


def test_what_no_path_has_goes_to_the_default_backend(edge: Edge, three: list[str]) -> None:
    edge.service(three[0], name="a")
    default = path("a")["backend"]
    edge.ingress(path("missing", "/other"), spec={"defaultBackend": default})
    assert edge.answer() == ip(three[0])


def test_a_default_backend_beside_a_path_for_everything_is_no_conflict(edge: Edge, three: list[str]) -> None:
    edge.service(three[0], name="a")
    edge.ingress(path("a"), spec={"defaultBackend": path("missing")["backend"]})
    assert edge.answer() == ip(three[0])
    assert "Conflict" not in edge.problems()


def test_a_name_may_be_as_long_as_names_are(edge: Edge, three: list[str]) -> None:
    """nginx has a limit of its own, and would refuse everybody's configuration."""
    host = f"{'.'.join(['a' * 60] * 3)}.{edge.host}"
    edge.service(three[0])
    edge.ingress(host=host, spec={"tls": []})
    edge.ingress(name="other", host=edge.host)
    assert edge.answer() == ip(three[0])


def test_the_port_is_found_by_name_or_number_and_where_it_is_not_that_is_said(edge: Edge, three: list[str]) -> None:
    edge.service(three[0], port={"name": "rpc", "port": 9000})
    edge.ingress(path(port="rpc"), name="named")
    assert edge.answer() == ip(three[0])
    edge.ingress(path(port="grpc"), name="wrong", host=f"wrong.{edge.namespace}.dev.example.com")
    said = 'has no port "grpc", and is answered by 503; it has 9000 (rpc)'
    assert said in edge.problem("ServicePortNotFound", "wrong")
    assert edge.answer() == ip(three[0])


def test_a_service_that_is_missing_is_named_and_found_when_it_comes(edge: Edge, three: list[str]) -> None:
    edge.ingress()
    assert f"there is no Service {edge.namespace}/web" in edge.problem("ServiceNotFound")
    edge.until(NO_ENDPOINTS)
    edge.service(three[0])
    edge.until(ip(three[0]))


def test_the_older_of_two_that_want_the_same_has_it_and_the_younger_when_that_is_gone(
    edge: Edge, three: list[str]
) -> None:
    edge.service(three[0], name="a")
    edge.service(three[1], name="b")
    edge.ingress(path("a"), name="older")
    assert edge.answer() == ip(three[0])
    wait_until("a second", lambda: _made_in_another_second(edge))
    edge.ingress(path("b"), path("b", "/other.Service"), name="younger")
    assert edge.problem("Conflict", "younger").startswith(f"path / of {edge.host} is taken: ")
    assert edge.answer() == ip(three[0])
    assert "Conflict" not in edge.problems("older")
    edge.client.delete(Ingress, "older", namespace=edge.namespace)
    edge.until(ip(three[1]))


def _made_in_another_second(edge: Edge) -> bool:
    """Ingresses of one second have no order but by uid."""
    older = edge.client.get(Ingress, "older", namespace=edge.namespace)
    assert older.metadata
    assert older.metadata.creationTimestamp
    return (datetime.datetime.now(datetime.UTC) - older.metadata.creationTimestamp).total_seconds() > 1


def test_an_ingress_of_another_class_is_left_alone(edge: Edge, three: list[str]) -> None:
    edge.service(*three)
    edge.ingress(name="theirs", host=f"theirs.{edge.namespace}.dev.example.com", spec={"ingressClassName": "another"})
    edge.ingress()
    assert not edge.has_address("theirs")


def test_a_class_may_be_named_by_the_old_annotation(edge: Edge, three: list[str]) -> None:
    edge.service(three[0])
    edge.ingress(spec={"ingressClassName": None}, **{"kubernetes.io/ingress.class": CLASS})
    edge.until(ip(three[0]))


def test_endpoints_come_and_go_under_calls_of_which_none_fails_and_streams_go_on(edge: Edge, three: list[str]) -> None:
    """A stream is on the connection of before a reload, and stays there; calls find the new endpoints at once."""
    edge.service(three[0])
    edge.ingress(proxy_read_timeout="600")
    assert edge.answer() == ip(three[0])
    with edge.channel() as channel:
        done = threading.Event()

        def requests() -> Iterator[HelloRequest]:
            while not done.wait(0.1):
                yield HelloRequest(name="stream")

        stream = GreeterStub(channel).SayHelloStream(requests())
        assert next(stream).backend_ip == ip(three[0])
        for turn in range(6):
            wanted = three[1:] if turn % 2 == 0 else three[:2]
            edge.client.replace(from_dict(edge.slice(*wanted)))
            seen: Counter[str] = Counter()

            def moved(seen: Counter[str] = seen, wanted: list[str] = wanted) -> bool:
                got = outcomes(channel, 20)
                seen.update(got)
                return got.keys() == {ip(address) for address in wanted}

            wait_until(f"calls go to {wanted}", moved)
            assert not [outcome for outcome in seen if outcome.isupper()], seen
            assert next(stream).backend_ip == ip(three[0])
        done.set()
        assert {reply.backend_ip for reply in stream} <= {ip(three[0])}
        assert stream.code() == grpc.StatusCode.OK


def test_an_endpoint_that_is_not_ready_gets_no_calls(edge: Edge, three: list[str]) -> None:
    edge.service(*three[:2])
    edge.ingress()
    slice_ = edge.slice(*three[:2])
    slice_["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    edge.client.replace(from_dict(slice_))
    with edge.channel() as channel:
        wait_until("only one is called", lambda: outcomes(channel, 20) == {ip(three[1]): 20})
    edge.client.delete(EndpointSlice, "web", namespace=edge.namespace)
    edge.until(NO_ENDPOINTS)


def test_calls_go_on_when_one_of_the_endpoints_refuses_connections(edge: Edge, three: list[str]) -> None:
    """A pod that has just died: nginx tries the next one, for what was never sent can't be done twice."""
    with greeters(2) as started:
        (dead, gone), (_, alive) = started
        dead.kill()
        edge.service(gone, alive)
        edge.ingress()
        edge.until(ip(alive))
        with edge.channel() as channel:
            assert outcomes(channel, 20) == {ip(alive): 20}


@pytest.fixture
def faulty() -> Iterator[list[str]]:
    """The addresses of three greeters that break when asked to."""
    with greeters(3, "--faults") as started:
        yield [address for _, address in started]


def test_a_call_whose_pod_dies_in_its_midst_fails_and_has_run_once(edge: Edge, faulty: list[str]) -> None:
    """It may have done something: what was sent is sent to no other."""
    edge.service(*faulty)
    edge.ingress()
    with edge.channel() as channel:
        call = greet(GreeterStub(channel), "you", 5, [("fault", "crash")])
        assert (call.code, call.details) == ("UNAVAILABLE", "Received http2 header with status: 502")
        assert len(outcomes(channel, 20)) == 2  # of the three, one has died


def test_a_pod_that_answers_errors_is_called_on_and_on(edge: Edge, faulty: list[str]) -> None:
    edge.service(*faulty)
    edge.ingress()
    fault(faulty[0], fault="error=INTERNAL", fault_for="60s")
    with edge.channel() as channel:
        assert outcomes(channel, 300) == {"INTERNAL": 100, ip(faulty[1]): 100, ip(faulty[2]): 100}
