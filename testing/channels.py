"""What became of calls over a channel."""

from collections import Counter

import grpc

from greeter_client.calls import greet
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.processes import wait_until


def outcomes(channel: grpc.Channel, calls: int, deadline: float = 1.0) -> Counter[str]:
    """How many calls each backend has answered, and how many failed with which code."""
    stub = GreeterStub(channel)
    made = (greet(stub, "you", deadline) for _ in range(calls))
    return Counter(each.backend or each.code for each in made)


def turns(counts: Counter[str], hosts: list[str]) -> bool:
    """Whether these alone have answered, each within a call of its share: turns may begin anew, anywhere, meanwhile."""
    share = counts.total() / len(hosts)
    return set(counts) == set(hosts) and all(abs(count - share) <= 1 for count in counts.values())


def connect(channel: grpc.Channel, backends: int) -> None:
    """Call until so many backends have answered: they are healthy and connected then."""
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.update(outcome for outcome in outcomes(channel, 1) if not outcome.isupper())
        return len(seen) == backends

    wait_until(f"{backends} backends", all_seen)


def fault(address: str, **metadata: str) -> None:
    """Ask one server for a fault, over a connection of its own; fault_for="60s" makes it last."""
    with grpc.insecure_channel(address) as direct:
        asked = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        GreeterStub(direct).SayHello.future(HelloRequest(name="fault"), metadata=asked, timeout=5).exception()
