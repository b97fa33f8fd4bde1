"""CoreDNS's cache: what clients of headless Services see of a change, and when."""

from dnslib import QTYPE, RCODE, RR, A

from lab.coredns.cache import CAPACITY, Cache
from lab.coredns.records import Answer

NAME = "web.shop.svc.cluster.local."


class Upstream:
    """Counts its questions, and answers with what it is told; a clock that is set by hand."""

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.asked = 0
        self.now = 1000.0

    def lookup(self, name: str, qtype: int) -> Answer:
        self.asked += 1
        if not self.address:
            return Answer(RCODE.NXDOMAIN)
        return Answer(RCODE.NOERROR, [RR(name, qtype, ttl=30, rdata=A(self.address))])

    def clock(self) -> float:
        return self.now


def ask(cache: Cache) -> tuple[str, int]:
    (record,) = cache.lookup(NAME, QTYPE.A).records
    return str(record.rdata), record.ttl


def test_an_answer_stays_for_its_ttl_which_counts_down() -> None:
    upstream = Upstream("127.64.0.2")
    cache = Cache(upstream.lookup, 30, upstream.clock)
    assert ask(cache) == ("127.64.0.2", 30)
    upstream.address = "127.64.0.3"
    upstream.now += 10.7
    assert ask(cache) == ("127.64.0.2", 20)
    upstream.now += 19.2
    assert ask(cache) == ("127.64.0.2", 1)
    assert upstream.asked == 1
    upstream.now += 0.2
    assert ask(cache) == ("127.64.0.3", 30)


def test_that_there_is_no_such_name_is_kept_too() -> None:
    upstream = Upstream()
    cache = Cache(upstream.lookup, 30, upstream.clock)
    assert cache.lookup(NAME, QTYPE.A).rcode == RCODE.NXDOMAIN
    upstream.address = "127.64.0.2"
    upstream.now += 29
    assert cache.lookup(NAME, QTYPE.A).rcode == RCODE.NXDOMAIN
    upstream.now += 1
    assert ask(cache) == ("127.64.0.2", 30)


def test_the_oldest_answer_gives_way_when_there_are_too_many() -> None:
    upstream = Upstream()
    cache = Cache(upstream.lookup, 30)
    for number in range(CAPACITY + 1):
        cache.lookup(f"{number}.", QTYPE.A)
    cache.lookup(f"{CAPACITY}.", QTYPE.A)
    assert upstream.asked == CAPACITY + 1
    cache.lookup("0.", QTYPE.A)
    assert upstream.asked == CAPACITY + 2
