"""When do new pods get calls? Connection age, the client's DNS cooldown and the cluster's DNS cache decide it together.

For each combination, client_roundrobin's client calls three real greeters on loopback, which it has found by a real DNS
server behind a cache. At 0 s two more pods are there. It is the worst moment: the client has asked DNS half a second
before, and somebody else's question has just brought the old answer into the cache.

`python -m benchmarks.dns_timeline` measures all combinations at once and writes docs/timeline.json, then draws
docs/timeline.svg from it; with --draw it only draws.
"""

import argparse
import io
import json
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import matplotlib as mpl
from dnslib import QTYPE, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from catalogue import ROOT
from client_roundrobin.client import open_channel
from greeter_client.calls import greet
from helloworld.helloworld_pb2_grpc import GreeterStub
from testing.channels import connect
from testing.services import service

FIGURES, PLOT = ROOT / "docs" / "timeline.json", ROOT / "docs" / "timeline.svg"
BEFORE, AFTER = 3, 5  # pods
RATE = 20  # calls a second
LEAD = 0.5  # seconds between the client's question to DNS and the new pods


@dataclass(frozen=True)
class Setting:
    """In seconds. An age of None is gRPC's default, no end; a cache of 0 keeps nothing."""

    age: float | None
    cooldown: float
    cache: float


SETTINGS = [
    Setting(age=None, cooldown=1, cache=0),
    Setting(age=5, cooldown=1, cache=0),
    Setting(age=5, cooldown=30, cache=0),
    Setting(age=5, cooldown=1, cache=30),
    Setting(age=5, cooldown=30, cache=30),
]


class Cache(BaseResolver):  # type: ignore[misc]
    """What a cluster's DNS has before its names: an answer stays as it is for so long, whatever has happened since."""

    def __init__(self, upstream: str, seconds: float) -> None:
        self.asked: list[tuple[float, int]] = []  # when (time.monotonic), and how many addresses were answered
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self._seconds = seconds
        self._kept: dict[int, tuple[float, DNSRecord]] = {}  # until when, and the answer; by type

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        reply.add_answer(*self._answer(request).rr)
        if request.q.qtype == QTYPE.A:
            self.asked.append((time.monotonic(), len(reply.rr)))
        return reply

    def fill(self) -> None:
        """Somebody else asks, when the last answer's time is over."""
        self._kept.clear()
        self._answer(DNSRecord.question("greeter-server"))

    def _answer(self, request: DNSRecord) -> DNSRecord:
        until, answer = self._kept.get(request.q.qtype, (0.0, None))
        if answer is None or until <= time.monotonic():
            answer = DNSRecord.parse(request.send(*self._upstream, timeout=5))
            self._kept[request.q.qtype] = time.monotonic() + self._seconds, answer
        return answer


@contextmanager
def cached(upstream: str, seconds: float) -> Iterator[tuple[Cache, str]]:
    """A cache before a DNS server, and its own IP:PORT, until the end of the block."""
    cache = Cache(upstream, seconds)
    server = DNSServer(cache, address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
    server.start_thread()
    try:
        host, port = server.server.server_address
        yield cache, f"{host}:{port}"
    finally:
        server.stop()
        server.server.server_close()


def measure(setting: Setting, seconds: float) -> dict[str, Any]:
    """For so many seconds from the moment that two pods are new: DNS's answers, and what the new pods got."""
    flags = [] if setting.age is None else [f"--max-connection-age={setting.age:g}s"]
    with (
        service(AFTER, *flags, named=BEFORE) as running,
        cached(running.names.server, setting.cache) as (cache, server),
        open_channel(f"dns://{server}/greeter-server:{running.port}", int(setting.cooldown * 1000)) as channel,
    ):
        stub = GreeterStub(channel)
        connect(channel, BEFORE)
        while time.monotonic() < cache.asked[0][0] + LEAD:
            greet(stub, "you", 1)
            time.sleep(1 / RATE)
        cache.fill()
        zero = time.monotonic()
        new = list(running.servers)[BEFORE:]
        running.names.addresses.extend(new)
        calls = []  # when, and who answered
        while (now := time.monotonic() - zero) < seconds:
            calls.append((now, greet(stub, "you", 1).backend))
            time.sleep(max(0.0, zero + len(calls) / RATE - time.monotonic()))
    firsts = [next((when for when, backend in calls if backend == pod), None) for pod in new]
    shares = []
    for second in range(int(seconds)):
        answered = [backend for when, backend in calls if int(when) == second]
        shares.append(round(sum(backend in new for backend in answered) / max(1, len(answered)), 2))
    return {
        **asdict(setting),
        "first_calls": sorted(round(first, 1) for first in firsts if first is not None),
        "calls": len(calls),
        "failed": sum(not backend for _, backend in calls),
        "asked": [(round(when - zero, 1), addresses) for when, addresses in cache.asked],
        "new_pods_share": shares,  # of the calls of each second
    }


HEIGHT = 1.2  # inches, of a row
GREY, NEW = "#7a7f86", "#e8700a"  # legible on white and on near-black alike
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "timeline",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(figures: dict[str, Any]) -> str:
    """SVG: a row for each combination, with DNS's answers and the new pods' share over time."""
    runs = figures["runs"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, HEIGHT * len(runs) + 0.4))
        figure.subplots_adjust(left=0.09, right=0.97, top=0.95, bottom=0.13, hspace=0.6)
        rows = figure.subplots(len(runs), sharex=True)
        for axes, run in zip(rows, runs, strict=True):
            _draw(axes, run)
        rows[-1].set_xlabel("seconds after the new pods were there")
        figure.legend(*rows[-1].get_legend_handles_labels(), loc="lower center", ncols=3, frameon=False, fontsize=9)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return re.sub(r" +$", "", file.getvalue(), flags=re.MULTILINE)


def _draw(axes: Axes, run: dict[str, Any]) -> None:
    seconds, shares = len(run["new_pods_share"]), [100 * share for share in run["new_pods_share"]]
    axes.stairs(
        shares, range(seconds + 1), fill=True, color=NEW, alpha=0.45, linewidth=0, label="share of the new pods"
    )
    for addresses, colour in ((BEFORE, GREY), (AFTER, NEW)):
        asked = [when for when, answered in run["asked"] if answered == addresses]
        style: Any = {"color": colour, "markersize": 9, "markeredgewidth": 1.6, "label": f"DNS says {addresses} pods"}
        axes.plot(asked, [-9] * len(asked), "|", **style)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_xlim(-2, seconds)
    axes.set_ylim(-18, 50)
    axes.set_yticks([0, 40], ["0 %", "40 %"])
    axes.set_title(described(run), loc="left", fontsize=10, color=GREY)
    axes.set_title(outcome(run), loc="right", fontsize=10, color=NEW)


def described(run: dict[str, Any]) -> str:
    age = "no connection age" if run["age"] is None else f"connection age {run['age']:g} s"
    cache = f"DNS cache {run['cache']:g} s" if run["cache"] else "no DNS cache"
    return f"{age}, cooldown {run['cooldown']:g} s, {cache}"


def outcome(run: dict[str, Any]) -> str:
    if len(run["first_calls"]) < AFTER - BEFORE:
        return f"not in {len(run['new_pods_share'])} s"
    return f"after {run['first_calls'][-1]:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="draw the figures that there are; measure nothing")
    parser.add_argument("--seconds", type=float, default=75, help="measure for so long (default %(default)s)")
    flags = parser.parse_args()
    if not flags.draw:
        with ThreadPoolExecutor(len(SETTINGS)) as pool:
            runs = list(pool.map(lambda setting: measure(setting, flags.seconds), SETTINGS))
        about = {"grpcio": metadata.version("grpcio"), "calls_a_second": RATE, "pods": [BEFORE, AFTER]}
        text = json.dumps({"about": about, "runs": runs}, indent=1)
        FIGURES.write_text(re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text) + "\n")
    figures = json.loads(FIGURES.read_text())
    PLOT.write_text(draw(figures))
    for run in figures["runs"]:
        print(f"{described(run)}: {outcome(run)}; DNS asked {len(run['asked'])} times, {run['failed']} calls failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
