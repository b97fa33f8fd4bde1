"""CoreDNS's cache: what clients of headless Services see of a change, and when."""

from dnslib import QTYPE, RCODE, RR, A

from lab.coredns.cache import CAPACITY, Cache
from lab.coredns.records import Answer

NAME = "web.shop.svc.cluster.local."


class Upstream:
    """Counts its questions, and answers with what it is told."""

    def __init__(self) -> None:
        self.address = ""
        self.asked = 0

    def lookup(self, name: str, qtype: int) -> Answer:
        self.asked += 1
        if not self.address:
            return Answer(RCODE.NXDOMAIN)
        return Answer(RCODE.NOERROR, [RR(name, qtype, ttl=30, rdata=A(self.address))])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(cache: Cache) -> tuple[str, int]:
    (record,) = cache.lookup(NAME, QTYPE.A).records
    return str(record.rdata), record.ttl


def test_an_answer_stays_for_its_ttl_which_counts_down() -> None:
    upstream, clock = Upstream(), Clock()
    cache = Cache(upstream.lookup, 30, clock)
    upstream.address = "127.64.0.2"
    assert ask(cache) == ("127.64.0.2", 30)
    upstream.address = "127.64.0.3"
    clock.now += 10.7
    assert ask(cache) == ("127.64.0.2", 20)
    clock.now += 19.2
    assert ask(cache) == ("127.64.0.2", 1)
    assert upstream.asked == 1
    clock.now += 0.2
    assert ask(cache) == ("127.64.0.3", 30)


def test_that_there_is_no_such_name_is_kept_too() -> None:
    upstream, clock = Upstream(), Clock()
    cache = Cache(upstream.lookup, 30, clock)
    assert cache.lookup(NAME, QTYPE.A).rcode == RCODE.NXDOMAIN
    upstream.address = "127.64.0.2"
    clock.now += 29
    assert cache.lookup(NAME, QTYPE.A).rcode == RCODE.NXDOMAIN
    clock.now += 1
    assert ask(cache) == ("127.64.0.2", 30)


def test_with_a_ttl_of_zero_nothing_is_kept() -> None:
    upstream = Upstream()
    cache = Cache(upstream.lookup, 0)
    for address in ("127.64.0.2", "127.64.0.3"):
        upstream.address = address
        assert ask(cache)[0] == address


def test_the_oldest_answer_gives_way_when_there_are_too_many() -> None:
    upstream = Upstream()
    cache = Cache(upstream.lookup, 30)
    for number in range(CAPACITY + 1):
        cache.lookup(f"{number}.", QTYPE.A)
    cache.lookup(f"{CAPACITY}.", QTYPE.A)
    assert upstream.asked == CAPACITY + 1
    cache.lookup("0.", QTYPE.A)
    assert upstream.asked == CAPACITY + 2
