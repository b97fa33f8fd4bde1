"""Go's durations, and what is none."""

import pytest

from helloworld.durations import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("+2s", 2),
        ("0", 0),
        ("0s", 0),
        ("100µs", 1e-4),
        ("596h", 596 * 3600),
    ],
)
def test_a_duration_of_go_is_that_many_seconds(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "5", "-5s", "s", ".s", "1.2.3s", "5 s", "1s!2s", "1s2", "5S", "5mm", "1d", "inf", "nans", "1e3s", "٣s"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration; write 30s, 1m30s or 500ms"):
        seconds(text)


@pytest.mark.parametrize("text", ["597h", "720h", "2147484s", f"{'9' * 400}s", f"{'9' * 5000}ns"])
def test_what_no_32_bits_of_milliseconds_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long; write 596h at most"):
        seconds(text)
