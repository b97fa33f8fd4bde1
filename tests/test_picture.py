"""The README's animated picture is made of a recording that is kept beside it."""

import re
from pathlib import Path

import pytest

from catalogue import ROOT, demos

DEMO = ROOT / "docs" / "demo"
RECORDING, PICTURE = DEMO / "demo.cast", DEMO / "demo.svg"
pytest.importorskip("termtosvg", reason="the extra `docs` is not installed")


def test_the_picture_is_small_moves_by_itself_and_loads_nothing() -> None:
    picture = PICTURE.read_text()
    assert len(picture.encode()) < 300_000
    assert "@keyframes" in picture
    assert not re.search(r"""<script|@import|(?:href|src)=["'](?!#)|url\((?!#)""", picture)


def test_the_picture_is_what_the_script_makes_of_the_recording(tmp_path: Path) -> None:
    from docs.demo.picture import draw

    draw(RECORDING, tmp_path / "demo.svg")
    assert (tmp_path / "demo.svg").read_text() == PICTURE.read_text(), "python -m docs.demo.picture makes it anew"


def test_the_recording_is_fast_and_ends_with_every_strategy() -> None:
    from docs.demo.picture import COLUMNS, SECONDS, read

    recording = read(RECORDING)
    assert recording.header["width"] == COLUMNS
    assert recording.events[-1][0] <= SECONDS
    shown = re.sub(r"/\s+", "/", "\n".join(line[:18] for line in recording.lines()))
    assert [demo.name for demo in demos() if demo.name not in re.sub(r"\s+", " ", shown)] == []


def test_what_a_terminal_is_told_is_recorded_and_what_is_drawn_over_left_out(tmp_path: Path) -> None:
    from docs.demo.picture import record

    bars = r"for i in 1 2 3 4 5 6 7 8 9; do printf '\r\033[2K\033[1A\033[2K%s\n%s' $i-of-9 below; sleep 0.02; done"
    whole = record(rf"printf 'first\n\n'; {bars}; printf '\nlast\n'")
    fast = whole.fast()
    assert fast.lines() == whole.lines() == ["first", "9-of-9", "below", "last"]
    assert fast.header == {**whole.header, "height": 6}
    assert whole.before("last").fast().lines() == ["first", "9-of-9", "below"]
