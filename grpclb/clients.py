"""What clients report of their calls: in the log in a line per interval, and in the metrics."""

import asyncio
import logging
from collections import Counter

from grpclb import metrics
from grpclb.load_balancer_pb2 import ClientStats

log = logging.getLogger(__name__)

SHOWN = 5  # clients in one line, the busiest


class Client:
    """One stream of BalanceLoad."""

    def __init__(self, peer: str, service: str) -> None:
        self.peer = peer
        self.service = service
        self.calls = 0  # finished, dropped ones included
        self.dropped = 0

    def report(self, stats: ClientStats) -> None:
        """Take in what it says has happened since it last said so."""
        dropped = sum(each.num_calls for each in stats.calls_finished_with_drop)
        self.calls += stats.num_calls_finished
        self.dropped += dropped
        for outcome, calls in (
            ("started", stats.num_calls_started),
            ("finished", stats.num_calls_finished),
            ("failed_to_send", stats.num_calls_finished_with_client_failed_to_send),
            ("known_received", stats.num_calls_finished_known_received),
            ("dropped", dropped),
        ):
            metrics.CALLS.labels(self.service, outcome).inc(max(0, calls))


class Clients:
    """All that are connected."""

    def __init__(self) -> None:
        self.now: set[Client] = set()
        self._reported: Counter[Client] = Counter()

    def join(self, client: Client) -> None:
        self.now.add(client)
        metrics.STREAMS.inc()
        log.debug("%s asks for %s", client.peer, client.service)

    def leave(self, client: Client) -> None:
        self.now.discard(client)
        metrics.STREAMS.dec()
        log.debug("%s left after %d calls, %d of them dropped", client.peer, client.calls, client.dropped)

    def reported(self, client: Client, stats: ClientStats) -> None:
        before = client.calls
        client.report(stats)
        self._reported[client] += client.calls - before

    async def summarize(self, interval: float) -> None:
        """Log what was reported in each interval (seconds), until cancelled."""
        while True:
            await asyncio.sleep(interval)
            reported, self._reported = self._reported, Counter()
            if total := reported.total():
                busiest = ", ".join(f"{client.peer} {calls}" for client, calls in reported.most_common(SHOWN))
                log.info(
                    "Clients report %d calls in %g s: %s%s", total, interval, busiest, ", …" * (len(reported) > SHOWN)
                )
