"""The table fits a terminal; the page stands alone, escapes what others wrote, and has its plots, on the same axes."""

import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from catalogue import Demo
from compare import __main__ as command
from compare import report, terminal, words
from compare.verdict import Row

ABOUT = {
    "kubernetes": "v1.34.4",
    "nodes": [{"cpu": "2", "container_runtime": "containerd://2.0", "kubelet": "v1.34.4"}],
    "dns_cache": {"seconds": 30.0, "known": True},
    "compare_runs_on": {"machine": "x86_64", "cpus": 2, "system": "Linux"},
    "versions": {"python": "3.11.7", "grpcio": "1.85.1"},
}
LATENCIES = [n / 100 for n in range(50, 149)]


BALANCED: dict[str, Any] = {
    "spread": {"calls": 300, "replicas": 3, "backends": 3},
    "scale_out": {"replicas": 3, "new_pods_share": 1 / 3, "dns_cached": False},
}
PINNED: dict[str, Any] = {
    "spread": {"calls": 300, "replicas": 3, "backends": 1},
    "scale_out": {"replicas": 3, "new_pods_share": 0.0},
}


def row(name: str = "client_roundrobin", expected: dict[str, Any] = BALANCED, **fields: Any) -> Row:
    demo = Demo(name, Path(), {"picks": "a sidecar"} | expected)
    backends = {pod: {"calls": 150} for pod in ("10.0.0.1", "10.0.0.2")}
    direct = {"ratio": {"p50": 1.25, "p99": 2.0}, "latency_distribution_ms": LATENCIES}
    client = {"backends": backends, "direct": direct, "latency_distribution_ms": LATENCIES}
    windows = [{"second": n, "backends": {"10.0.0.1": 50, "10.0.0.3": 50 * (n > 4)}} for n in range(10)]
    scale_out = {
        "scaled": 1002.0,
        "ready": {"10.0.0.3": 1003.0},
        "first_call_after_s": {"10.0.0.3": 24.6},
        "share_of_new_pods": 1 / 3,
        "client_clock_behind_s": 0.02,
        "client": {"started": 1000.0, "backends": backends, "windows": windows},
    }
    spread = {"pods": ["10.0.0.1", "10.0.0.2", "10.0.0.9"], "client": client}
    given: dict[str, Any] = {"demo": demo, "spread": spread, "scale_out": scale_out} | fields
    return Row(**given)


def test_the_figures_of_a_row() -> None:
    figures = row()
    assert figures.calls == [150, 150, 0]
    assert figures.fairness == pytest.approx(2 / 3)
    assert words.soon(figures) == "25 s"
    assert words.new_share(figures) == "33%\n(even: 33%)"
    assert words.overhead(figures) == "1.25"


def test_a_first_call_just_before_we_heard_of_readiness_came_at_once() -> None:
    assert words.soon(row(scale_out=row().scale_out | {"first_call_after_s": {"10.0.0.3": -0.04}})) == "0.0 s"  # type: ignore[operator]


def printed(*rows: Row, width: int = 80) -> str:
    file = io.StringIO()
    terminal.show(Console(file=file, width=width), rows, words.notes(rows, ABOUT))
    return file.getvalue()


def test_the_table_fits_80_columns_with_nothing_cut() -> None:
    never = row().scale_out | {"first_call_after_s": {}}  # type: ignore[operator]
    told = row("grpclb")
    told.demo.expectations["picks"] = "the client, told by a balancer"
    lacking = row("ingress/gateway", lacks="Gateway API", spread=None, scale_out=None)
    text = printed(row(), told, lacking, row("clusterip", missed=["one pod got nothing"], scale_out=never))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    table = text[: text.index("client_roundrobin and grpclb balance calls")].splitlines()
    assert [line.split()[-1] for line in table if "predicted" in line] == ["predicted"] * 3
    assert "balanced,\n" in re.sub(" +\n", "\n", text)
    assert "✗ not as\n" in re.sub(" +\n", "\n", text)
    assert "clusterip: one pod got nothing" in text
    assert [words.strip() for words in re.findall("– needs|Gateway +$|API +$", text, re.MULTILINE)] == [
        "– needs",
        "Gateway",
        "API",
    ]


def test_in_120_columns_calls_alone_have_a_second_line() -> None:
    told = row("grpclb")
    told.demo.expectations["picks"] = "the client, told"
    lacking = row("ingress/gateway", lacks="Gateway API", spread=None, scale_out=None)
    lines = printed(row(), told, lacking, row("clusterip", missed=["m"]), width=120).splitlines()
    assert max(map(len, lines)) <= 120
    below, headings = lines[0].split(), re.split("  +", lines[1].strip())
    assert below == ["calls", "p50", "×"]
    assert headings == [
        "strategy",
        "who picks",
        "per pod",
        "fairness",
        "direct",
        "new pods' share",
        "how soon",
        "verdict",
    ]
    [of_told] = [line for line in lines if line.startswith("grpclb")]
    cells = [
        "grpclb",
        "the client, told",
        "██",
        "150",
        "0.67",
        "1.25",
        "33% (even: 33%)",
        "25 s",
        "balanced, as predicted",
    ]
    assert re.split("  +", of_told.strip()) == cells
    assert "– needs Gateway API" in "\n".join(lines)


def test_what_the_cluster_lacks_is_in_the_pages_table_and_has_no_plots() -> None:
    page = report.page([row(), row("ingress/gateway", lacks="Gateway API", spread=None, scale_out=None)], ABOUT)
    assert "– needs" in page
    assert page.count("ingress/gateway") == 1


def test_a_row_that_could_not_be_measured_has_its_reason_in_place_of_figures() -> None:
    text = printed(row(spread=None, scale_out=None, error="[bold]no[/] pod"))
    assert "client_roundrobin: [bold]no[/] pod" in text
    assert "✗ not as\n" in re.sub(" +\n", "\n", text)
    assert "balanced" not in text


@pytest.mark.parametrize(
    ("dns", "said"),
    [
        ({"seconds": 30.0, "known": True}, "keeps answers for 30 s."),
        ({"seconds": 5.0, "known": True}, "for 5 s, shortened from the stock 30 s"),
        ({"seconds": 30.0, "known": False}, "for 30 s (assumed"),
    ],
)
def test_the_dns_cache_is_said(dns: dict[str, Any], said: str) -> None:
    assert said in " ".join(words.notes([row()], ABOUT | {"dns_cache": dns}))


class Loaded(HTMLParser):
    """What a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [
            f"{tag} {value}" for name, value in attrs if name in ("src", "href", "xlink:href", "data") and value
        ]


def test_the_page_loads_nothing() -> None:
    loaded = Loaded()
    loaded.feed(report.page([row()], ABOUT))
    assert [url for url in loaded.urls if not re.fullmatch(r"use #\w+", url)] == []


def test_the_page_has_both_plots_in_its_own_colour_of_text() -> None:
    page = report.page([row()], ABOUT)
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == 2
    for plot in plots:
        ElementTree.fromstring(plot)  # noqa: S314 (our own)
        assert "currentColor" in plot
    over_time, latencies = plots
    for label in (
        ">pod 1<",
        ">pod 4 (new)<",
        "<title>pod 4 (new): 10.0.0.3</title>",
        "pods are added",
        "share of calls",
    ):
        assert label in over_time
    for label in ("half of the calls", "99 of 100 calls", "share of calls answered within", "direct calls"):
        assert label in latencies
    assert "half took at most 0.99 ms, 99% at most 1.48 ms" in page


def longer(figures: Row) -> Row:
    """The same, watched for longer, with slower calls."""
    assert figures.scale_out
    assert figures.spread
    client, spread = figures.scale_out["client"], figures.spread["client"]
    windows = [*client["windows"], *({"second": n, "backends": {"10.0.0.1": 100}} for n in range(10, 35))]
    figures.scale_out |= {"client": client | {"windows": windows}}
    figures.spread |= {"client": spread | {"latency_distribution_ms": [9 * cut for cut in LATENCIES]}}
    return figures


def axes(page: str) -> list[list[tuple[str, ...]]]:
    """Of each plot, the axes' names, the places of their marks and what is written there."""
    mark = r'<g id="([xy])tick_\d+">.*?<use [^>]*x="([\d.]+)" y="([\d.]+)".*?<text [^>]*>([^<]+)</text>'
    return [re.findall(mark, plot, re.DOTALL) for plot in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_all_strategies_have_the_same_axes() -> None:
    shares, latencies, *others = axes(report.page([row(), longer(row("clusterip", PINNED))], ABOUT))
    assert min(map(len, (shares, latencies))) > 6
    assert others == [shares, latencies]


def test_strategies_on_pages_of_their_own_have_axes_of_their_own() -> None:
    short, long = axes(report.page([row()], ABOUT)), axes(report.page([longer(row())], ABOUT))
    assert short[0] != long[0]
    assert short[1] != long[1]


def heights(page: str) -> list[set[float]]:
    """Of each pod's area in the first plot, at which heights its outline runs."""
    areas = re.findall(r"<title>pod [^<]*</title>.*?<path [^>]*d=\"([^\"]+)\"", page, re.DOTALL)
    return [{float(y) for y in re.findall(r"[ML] -?[\d.]+ (-?[\d.]+)", area)} for area in areas]


def test_a_pod_that_gets_all_calls_fills_the_plot_and_one_that_gets_none_has_no_area() -> None:
    pinned = row("clusterip", PINNED)
    assert pinned.scale_out
    pinned.scale_out["client"]["windows"] = [{"second": n, "backends": {"10.0.0.1": 100}} for n in range(10)]
    busy, *idle = heights(report.page([pinned], ABOUT))
    assert len(busy) == 2
    assert idle == [{min(busy)}] * 3  # at the top, where SVG's y is the least
    assert len(heights(report.page([row()], ABOUT))[0]) == 3  # half of the calls, later


def test_a_second_without_calls_is_a_gap() -> None:
    silent = row()
    assert silent.scale_out
    silent.scale_out["client"]["windows"] = [
        {"second": n, "backends": {"10.0.0.1": 100}} for n in range(10) if n not in (4, 5)
    ]
    assert len(heights(report.page([silent], ABOUT))[1]) == 2  # which has none: on top of the first, and on the ground


def test_ids_of_two_plots_do_not_clash() -> None:
    page = report.page([row(), row("clusterip")], ABOUT)
    clips = re.findall(r'<clipPath id="(\w+)"', page)
    assert len(clips) == len(set(clips)) > 1


def test_the_page_says_the_same_of_each_row_as_the_table() -> None:
    said = re.findall(
        r'<span class="(\w+)">([^<]+)</span>',
        report.page(
            [row(), row("clusterip", PINNED), row("grpclb", missed=["m"]), row("xds", PINNED, error="e")], ABOUT
        ),
    )
    assert [(how, " ".join(what.split())) for how, what in said] == [
        ("good", "balanced, as predicted"),
        ("warning", "pinned, as predicted"),
        ("bad", "✗ not as predicted"),
        ("bad", "✗ not as predicted"),
    ]


def test_what_a_cluster_said_is_escaped() -> None:
    page = report.page([row(error="<script>alert(1)</script>")], ABOUT)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_without_measurements_there_are_no_plots() -> None:
    assert "<svg" not in report.page([row(spread=None, scale_out=None, error="no pod")], ABOUT)


def test_drills_have_a_table_of_their_own() -> None:
    drills = {"scale_in": {"client": {"failed_attempts": 0, "attempts": 2155}}}
    text = printed(row(drills=drills), row("clusterip"))
    assert ["failed", "scale"] in [line.split() for line in text.splitlines()]
    assert "0 of 2155" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "failed, scale in" in report.page([row(drills=drills)], ABOUT)


def test_a_drill_that_one_strategy_alone_has_is_shown_with_its_new_pods() -> None:
    client = {"client": {"failed_attempts": 0, "attempts": 3155}}
    both = {"scale_in": client, "rolling_restart": client}
    away = client | {"ready": {"d": 1.0, "e": 1.0}, "first_call_after_s": {"d": 0.44, "e": -2.0}}
    never = away | {"first_call_after_s": {"d": 0.4}}
    rows = [
        row(drills=both),
        row("grpclb", drills=both | {"balancers_away": away}),
        row("client_xds/proxyless", drills=both | {"control_plane_away": never}),
    ]
    text = printed(*rows)
    table = text[text.index("failed  ") :].splitlines()
    assert re.split("  +", table[0].strip()) == ["failed", "scale", "rolling", "balancers", "control"]
    assert re.split("  +", table[1].strip()) == ["attempts in a", "in", "restart", "away", "plane away"]
    assert re.split("  +", table[3].strip()) == ["client_roundrobin", "0 of 3155", "0 of 3155", "–", "–"]
    assert re.split("  +", table[4].strip()) == ["grpclb", "0 of 3155", "0 of 3155", "0 of 3155", "–"]
    assert table[5].strip() == "(new pods: 0.4 s)"
    assert re.split("  +", table[7].strip()) == ["proxyless", "(new pods: never)"]
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "had been taken away was back." in " ".join(text.split())
    assert "had been taken away was back." not in printed(row(drills=both))
    page = report.page(rows, ABOUT)
    assert re.findall(r'data-label="failed, balancers away"(?: class=none)?>([^<]*)<', page) == [
        "–",
        "0 of 3155\n(new pods: 0.4 s)",
        "–",
    ]


SHOWN = """
import sys
from compare import __main__ as command
from compare.test_output import ABOUT, row
async def measured(*_): return [row()] * 100, ABOUT
command._compare = measured
sys.exit(command.main())
"""


def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SHOWN], stdout=pipe, stderr=pipe, text=True) as shown:
        assert shown.stdout
        shown.stdout.close()  # as head does
        assert shown.communicate(timeout=50)[1] == ""


def test_a_disk_that_is_full_is_said_in_one_line_and_costs_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def measured(*_: object) -> tuple[list[Row], dict[str, Any]]:
        return [row()], ABOUT

    monkeypatch.setattr(command, "_compare", measured)
    monkeypatch.setattr(sys, "argv", ["compare", "--json=/dev/full"])
    assert command.main() == 2
    out, said = capsys.readouterr()
    assert said == "compare: /dev/full can't be written: No space left on device; measure again with another file\n"
    assert "client_roundrobin" in out
