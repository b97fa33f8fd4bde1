"""CoreDNS's `cache` plugin: an answer, also a negative one, stays as it is for as long as its TTL says.

Source: github.com/coredns/coredns/plugin/cache. This is what makes clients of headless Services see pods that are
gone, and not see new ones: with the stock Corefile (`ttl 30`, `cache 30`) for up to 30 s. Negative answers last as
long: their TTL is that of the SOA record, which the `kubernetes` plugin gives its `ttl`.
"""

import copy
import time
from collections import OrderedDict
from collections.abc import Callable

from dnslib import RR

from lab.coredns.records import Answer

CAPACITY = 10_000  # answers

Lookup = Callable[[str, int], Answer]


class Cache:
    """Answers questions from its memory, else by `lookup`."""

    def __init__(self, lookup: Lookup, ttl: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup
        self._ttl = ttl
        self._clock = clock
        self._answers: OrderedDict[tuple[str, int], tuple[float, Answer]] = OrderedDict()

    def lookup(self, name: str, qtype: int) -> Answer:
        """The answer, with the TTL that it has left."""
        since, answer = self._answers.get((name, qtype), (None, None))
        if since is not None and answer and (left := self._ttl - int(self._clock() - since)) > 0:
            return _with_ttl(answer, left)
        answer = self._lookup(name, qtype)
        if self._ttl:
            self._answers[name, qtype] = (self._clock(), answer)
            self._answers.move_to_end((name, qtype))
            if len(self._answers) > CAPACITY:
                self._answers.popitem(last=False)
        return answer


def _with_ttl(answer: Answer, ttl: int) -> Answer:
    def copies(records: list[RR]) -> list[RR]:
        records = [copy.copy(record) for record in records]
        for record in records:
            record.ttl = ttl
        return records

    return Answer(answer.rcode, copies(answer.records), copies(answer.authority), copies(answer.additional))
