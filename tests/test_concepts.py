"""docs/concepts.md: the plot and the figures are those that were measured, and what the page says on its own is so."""

import json
import queue
from collections.abc import Iterator

import pytest

from benchmarks.dns_timeline import FIGURES, LEAD, PLOT, SETTINGS, Setting, draw, measure, outcome
from catalogue import ROOT
from client_roundrobin.client import open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect, outcomes
from testing.processes import wait_until
from testing.services import service

PAGE = (ROOT / "docs" / "concepts.md").read_text()
MEASURED = json.loads(FIGURES.read_text())


def test_the_plot_is_what_the_script_makes_of_the_figures() -> None:
    assert PLOT.read_text() == draw(MEASURED)


def test_the_table_has_what_was_measured() -> None:
    assert len(MEASURED["runs"]) == len(SETTINGS)
    for run in MEASURED["runs"]:
        age = "none" if run["age"] is None else f"{run['age']:g} s"
        cache = f"{run['cache']:g} s" if run["cache"] else "none"
        assert f"| {age} | {run['cooldown']:g} s | {cache} | {len(run['asked'])} | {outcome(run)} |" in PAGE
        assert not run["failed"]


@pytest.mark.parametrize(
    ("setting", "soonest"),
    [
        (Setting(age=0.5, cooldown=0.2, cache=3), 3),  # the cached answer's time
        (
            Setting(age=0.5, cooldown=2, cache=2),
            2 * 2 - LEAD,
        ),  # the first question comes just too early, the next is late
    ],
)
def test_a_new_pod_waits_for_the_cache_and_the_cooldown_may_double_that(setting: Setting, soonest: float) -> None:
    run = measure(setting, soonest + 5)
    assert run["first_calls"]
    assert run["first_calls"][0] >= soonest - 0.1
    assert run["asked"][1][1] == 3  # the first answer since then is the old one


def test_a_stream_stays_with_its_pod_when_the_connection_has_reached_its_age_and_new_calls_go_to_a_new_pod() -> None:
    names: queue.Queue[HelloRequest] = queue.Queue()

    def sent() -> Iterator[HelloRequest]:
        while True:
            yield names.get()

    with (
        service(3, "--max-connection-age=500ms", named=2) as running,
        open_channel(running.target, dns_cooldown_ms=200) as channel,
    ):
        connect(channel, 2)
        stream = GreeterStub(channel).SayHelloStream(sent())
        names.put(HelloRequest(name="you"))
        first = next(stream).backend_ip
        *_, new = running.servers
        running.names.addresses.append(new)
        wait_until("a call to the new pod", lambda: new in outcomes(channel, 3))
        names.put(HelloRequest(name="you"))
        assert next(stream).backend_ip == first
        stream.cancel()
