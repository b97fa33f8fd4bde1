"""docs/choosing.md shows the figures that were measured, of every strategy."""

import copy
from pathlib import Path

import pytest

from catalogue import demos, strategies
from docs.measured.parts import quantity
from docs.measured.table import MEASURED, PAGE, PLACES, measured, taken_in, with_tables

TEXT = PAGE.read_text()
TABLES = ("calls", "drills", "costs")


def table(name: str, page: str = TEXT) -> str:
    return page.partition(f"<!-- measured: {name} -->")[2].partition("<!-- end -->")[0]


def test_the_page_is_what_is_made_of_the_measurements() -> None:
    assert with_tables(TEXT, measured()) == TEXT, "write it anew: python -m docs.measured.table"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_a_row_for_every_demo(name: str) -> None:
    shown = [line.split("`")[1] for line in table(name).splitlines() if "`" in line]
    assert shown == [demo.name for demo in demos()]


def test_a_demo_that_was_not_measured_is_missed() -> None:
    figures = measured()
    figures["cluster"]["rows"].pop()
    with pytest.raises(KeyError):
        with_tables(TEXT, figures)


@pytest.mark.parametrize("place", PLACES)
def test_another_figure_makes_another_page(place: str) -> None:
    figures = copy.deepcopy(measured())
    for row in figures[place]["rows"]:
        if row["spread"]:
            row["spread"]["client"]["direct"]["ratio"]["p50"] = 9.87
    assert "9.87" in table("calls", with_tables(TEXT, figures))


@pytest.mark.parametrize("name", MEASURED)
def test_what_is_committed_has_its_date_and_nothing_that_the_tables_do_not_need(name: str) -> None:
    figures = measured()[name]
    assert (figures.get("measured_on") or figures)["date"]
    if name in PLACES:
        assert all("windows" not in row["scale_out"]["client"] for row in figures["rows"] if row["scale_out"])


def test_what_hangs_cost_is_read_from_what_the_test_prints(tmp_path: Path) -> None:
    (printed := tmp_path / "hangs.txt").write_text(
        "k8s/test_broken_backend.py grpclb: 107 calls failed, for 16 s; restarted 36 s after it was asked to hang\n."
    )
    assert taken_in("hangs", printed)["demos"] == {"grpclb": {"calls": 107, "seconds": 16, "restarted_s": 36}}


@pytest.mark.parametrize(("text", "amount"), [("94m", 0.094), ("1234567n", 0.001234567), ("2", 2), ("15Ki", 15360)])
def test_an_amount_is_read_as_kubernetes_writes_it(text: str, amount: float) -> None:
    assert quantity(text) == pytest.approx(amount)


@pytest.mark.parametrize("strategy", strategies(), ids=lambda path: path.name)
def test_what_has_to_change_is_said_of_every_strategy(strategy: Path) -> None:
    section = TEXT.partition("## What you have to change")[2].partition("\n## ")[0]
    assert f"\n| `{strategy.name}" in section
