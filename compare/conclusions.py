"""What the figures say, in sentences: of one strategy, and of all of them side by side."""

import itertools
from collections.abc import Callable, Iterable, Sequence

from compare import words
from compare.verdict import Row

SOON, FACTOR = 1.0, 0.2  # seconds, and times direct: figures that differ by no more are as good as equal
NAMED = 3  # of more strategies their number is said
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def of(row: Row) -> str:
    """What its pods got; "" where nothing was measured."""
    spread, added = _spread(row), _scale_out(row)
    if row.met and spread and added and not row.promises_balance:
        return f"{spread}, and {added}: this is the problem."
    return " ".join(f"{said[0].upper()}{said[1:]}." for said in (spread, added) if said)


def overall(rows: Sequence[Row]) -> list[str]:
    """Which balance; and of those, which find added pods soonest and which cost the least. A paragraph each."""
    met = [row for row in rows if row.met and not row.lacks]
    balanced, pinned = ([row for row in met if row.promises_balance is promised] for promised in (True, False))
    missed = [row for row in rows if not row.met]
    first = []
    if balanced:
        verb = "balances" if len(balanced) == 1 else "balance"
        first.append(f"{_subject(balanced)} {verb} calls: every pod got its share, and so did added pods.")
    if pinned:
        verb = "does" if len(pinned) == 1 else "do"
        first.append(f"{_subject(pinned)} {verb} not balance {'them' if balanced else 'calls'}: some pods got none.")
    if missed:
        first.append(f"{_subject(missed)} did not behave as predicted.")
    return [" ".join(first), *([_soonest(balanced), _cheapest(balanced)] if len(balanced) > 1 else [])]


def _spread(row: Row) -> str:
    calls = row.calls
    if not calls:
        return ""
    if calls[0] == sum(calls) > 0:
        return f"One pod of {_number(len(calls))} answered all {calls[0]} calls"
    if calls[0] == calls[-1]:
        return f"Each of the {_number(len(calls))} pods answered {calls[0]} calls"
    return f"The {_number(len(calls))} pods answered {_list(calls)} calls"


def _scale_out(row: Row) -> str:
    if not row.scale_out:
        return ""
    got, added = len(row.scale_out["first_call_after_s"]), len(row.scale_out["ready"])
    if not got:
        return "the added pods got none"
    if row.soon is None:
        return f"only {_number(got)} of the {_number(added)} added pods got calls"
    when = "as soon as" if row.soon < 0.05 else f"{words.seconds(row.soon)} after"
    share = f"{row.new_share or 0:.0%} of the calls; an even share is {words.even(row)}"
    return f"the last added pod had its first call {when} it was ready. New pods then got {share}"


def _soonest(rows: Sequence[Row]) -> str:
    soonest, later = _apart({row.demo.name: row.soon for row in rows if row.soon is not None}, SOON)
    most = f"at most {words.seconds(max(0.1, *soonest.values()))} after they were ready"
    if later:
        after = f"With {_list(later)}, it took {_range(later, words.seconds)}."
        said = f"With {_list(soonest)}, added pods got calls soonest: {most}. {after}"
    else:
        said = f"With all of them, added pods got calls equally soon: {most}."
    cached = [row.demo.name for row in rows if row.demo.expectations["scale_out"]["dns_cached"]]
    return f"{said} It is partly luck with {_list(cached)}, because DNS caches answers." if cached else said


def _cheapest(rows: Sequence[Row]) -> str:
    cheap, dear = _apart({row.demo.name: row.overhead["p50"] for row in rows if row.overhead}, FACTOR)
    least = (
        f"With {_list(cheap) if dear else 'all of them'}, the median call took {_range(cheap, '{:.1f}'.format)} times"
    )
    most = f" With {_list(dear)}, it took {_range(dear, '{:.1f}'.format)} times as long." if dear else ""
    good = "These factors are good to a tenth or two on an idle machine."
    return f"{least} as long as a call made directly to a pod.{most} {good}"


def _apart(figures: dict[str, float], least: float) -> tuple[dict[str, float], dict[str, float]]:
    """The low ones and the high ones, with the widest gap between them; all and none if none is wide."""
    gap, low = max((high - low, low) for low, high in itertools.pairwise(sorted(figures.values())))
    bound = low if gap > least else max(figures.values())
    first = {name: figure for name, figure in figures.items() if figure <= bound}
    return first, {name: figure for name, figure in figures.items() if name not in first}


def _subject(rows: Sequence[Row]) -> str:
    return (
        _list([row.demo.name for row in rows])
        if len(rows) <= NAMED
        else f"{_number(len(rows)).capitalize()} strategies"
    )


def _list(items: Iterable[object]) -> str:
    *most, last = map(str, items)
    return f"{', '.join(most)} and {last}" if most else last


def _range(figures: dict[str, float], text: Callable[[float], str]) -> str:
    low, high = text(min(figures.values())), text(max(figures.values()))
    return low if low == high else f"{low} to {high}"


def _number(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)
