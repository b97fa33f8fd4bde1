"""The tables of docs/choosing.md, made of the measurements that lie beside this file.

    python -m docs.measured.table                             makes them anew, in the page
    python -m docs.measured.table cluster build/cluster.json  takes in new ones before

`lab` and `cluster` are what `python -m compare --drills --json FILE` wrote there, without what the tables don't need;
`parts` is what docs/measured/parts.py wrote; `hangs` are the lines that k8s/test_broken_backend.py printed.
"""

import argparse
import json
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from catalogue import Demo, demos
from compare import words
from compare.verdict import Row

HERE = Path(__file__).parent
PAGE = HERE.parent / "choosing.md"
PLACES = ("lab", "cluster")
MEASURED = (*PLACES, "parts", "hangs")
LEFT_OUT = {"expectations", "windows", "latency_distribution_ms", "first_seen", "last_seen", "target", "system"}
HUNG = re.compile(r"\b([a-z]\S+): (\d+) calls failed, for (\d+) s; restarted (\d+) s after")
RATE = 20  # calls a second to servers of which one hangs (k8s/test_broken_backend.py)
MIB = 2**20

Measured = dict[str, dict[str, Any]]  # by the names of MEASURED
Cells = Sequence[str]


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m docs.measured.table", description=__doc__)
    flags.add_argument("name", nargs="?", choices=MEASURED, help="what was measured anew")
    flags.add_argument("file", nargs="?", type=Path, help="where that is")
    arguments = flags.parse_args()
    if arguments.file:
        kept = HERE / f"{arguments.name}.json"
        taken = taken_in(arguments.name, arguments.file)
        if "demos" in taken and kept.exists():  # they may be some
            taken["demos"] = json.loads(kept.read_text())["demos"] | taken["demos"]
        kept.write_text(json.dumps(taken, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(), measured()))


def taken_in(name: str, file: Path) -> dict[str, Any]:
    """What is kept of a measurement."""
    if name == "hangs":
        day = time.strftime("%Y-%m-%d", time.gmtime(file.stat().st_mtime))
        found = HUNG.findall(file.read_text())
        numbers = {demo: {"calls": int(n), "seconds": int(s), "restarted_s": int(r)} for demo, n, s, r in found}
        return {"date": day, "demos": numbers}
    figures: dict[str, Any] = json.loads(file.read_text())
    if name in PLACES:
        started = min(row["spread"]["client"]["started"] for row in figures["rows"] if row["spread"])
        figures["measured_on"]["date"] = time.strftime("%Y-%m-%d", time.gmtime(started))
        for row in figures["rows"]:
            for client in [part["client"] for part in (row["scale_out"], *row["drills"].values()) if part]:
                del client["backends"]
    return dict(_without(figures))


def _without(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {key: _without(value) for key, value in figures.items() if key not in LEFT_OUT}
    return [_without(each) for each in figures] if isinstance(figures, list) else figures


def measured() -> Measured:
    return {name: json.loads((HERE / f"{name}.json").read_text()) for name in MEASURED}


def with_tables(page: str, measured: Measured) -> str:
    """The page with each table made anew between its comments: `<!-- measured: NAME -->` and `<!-- end -->`."""
    made = {"calls": calls, "drills": drills, "costs": costs, "conditions": conditions}

    def anew(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{made[found[2]](measured)}\n\n{found[3]}"

    return re.sub(r"(<!-- measured: (\w+) -->)\n.*?(<!-- end -->)", anew, page, flags=re.DOTALL)


def rows(figures: dict[str, Any]) -> list[Row]:
    """Those of all demos, as compare has them. Raises KeyError for a demo that was not measured."""
    found = {row["strategy"]: row for row in figures["rows"]}
    parts = ("spread", "scale_out", "drills", "missed", "error", "lacks")
    return [Row(demo, **{part: found[demo.name][part] for part in parts}) for demo in demos()]


def calls(measured: Measured) -> str:
    head = ["strategy", "who picks", "calls of each pod", "latency, lab", "latency, cluster", "new pods, lab"]
    head += ["new pods, cluster"]
    lab, cluster = (rows(measured[place]) for place in PLACES)
    return _table(
        head,
        (
            [
                _link(here.demo),
                here.demo.expectations["picks"],
                ", ".join(map(str, here.calls)) or words.NONE,
                words.overhead(there),
                words.overhead(here),
                words.soon(there),
                words.soon(here),
            ]
            for there, here in zip(lab, cluster, strict=True)
        ),
    )


def drills(measured: Measured) -> str:
    head = ["strategy", *(f"{what}, {place}" for what in ("scale-in", "rollout", "part away") for place in PLACES)]
    lab, cluster = (rows(measured[place]) for place in PLACES)
    return _table(
        head,
        (
            [_link(here.demo)] + [_failed(row, do) for do in ("scale_in", "rolling_restart", "away") for row in both]
            for both in zip(lab, cluster, strict=True)
            for here in both[1:]
        ),
    )


def _failed(row: Row, do: str) -> str:
    """Failed attempts in the drill in which this is done."""
    names = [name for name, drill in row.demo.expectations["drills"].items() if drill["do"] == do]
    counts = words.failed(row, names[0]) if names else words.NONE
    return re.sub(r"\d{4,}", lambda number: f"{int(number[0]):,}", counts)


def costs(measured: Measured) -> str:
    head = ["strategy", "calls that fail while one pod hangs", "extra parts", "memory of each", "CPU of each"]
    head += ["memory of the client"]
    parts, hangs = measured["parts"]["demos"], measured["hangs"]["demos"]
    return _table(
        head,
        (
            [
                _link(demo),
                _hung(demo, hangs.get(demo.name)),
                _each(f"{part['pods']} × {_said(part['part'])}" for part in parts[demo.name]["extra"]),
                _each(f"{part['memory'] / MIB:.0f} MiB" for part in parts[demo.name]["extra"]),
                _each(f"{1000 * part['cpu']:.0f}m" for part in parts[demo.name]["extra"]),
                f"{parts[demo.name]['client']['memory'] / MIB:.0f} MiB",
            ]
            for demo in demos()
        ),
    )


def _hung(demo: Demo, figures: dict[str, int] | None) -> str:
    if not figures:
        return "not measured"
    pods = demo.expectations["spread"]["backends"]
    which = "every call" if pods == 1 else f"1 call in {pods}"
    return f"{which}, for {figures['seconds']} s"


def _said(part: str) -> str:
    """Of a component and a container of its pods, or of both by one name; an edge's containers are its parts."""
    component, _, container = part.removeprefix("ingress-controller: ").partition(": ")
    return f"{container} (in the {component}'s pod)" if container else component


def _each(parts: Iterable[str]) -> str:
    return "<br>".join(parts) or words.NONE


def conditions(measured: Measured) -> str:
    """What was measured on what, and what was not as predicted."""
    lines = [_place(place, measured[place]["measured_on"]) for place in PLACES]
    missed = [
        f"- {row.demo.name}, {place}: {why}" for place in PLACES for row in rows(measured[place]) for why in _why(row)
    ]
    return "\n".join([*lines, *missed])


def _why(row: Row) -> list[str]:
    return [*words.reasons(row), *([f"not measured, for it needs {row.lacks}"] if row.lacks else [])]


def _place(place: str, about: dict[str, Any]) -> str:
    here, versions, dns = about["compare_runs_on"], about["versions"], about["dns_cache"]
    return (
        f"- {place}: {about['date']}, Kubernetes {about['kubernetes']}, {len(about['nodes'])} node, "
        f"{here['cpus']} CPUs ({here['machine']}), DNS answers kept for {dns['seconds']:g} s"
        f"{'' if dns['known'] else ' (assumed)'}, "
        f"Python {versions['python']}, grpcio {versions['grpcio']}"
    )


def _link(demo: Demo) -> str:
    return f"[`{demo.name}`](../{demo.name.partition('/')[0]}/README.md)"


def _table(head: Cells, body: Iterable[Cells]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
