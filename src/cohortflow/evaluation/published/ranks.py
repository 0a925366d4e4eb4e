"""Places and gains that printed numbers give, never copied from print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.schema import Better
from cohortflow.evaluation.published.tables import Label, PublishedRow, PublishedTable


def ranks(values: Sequence[float | None], better: Better) -> list[int | None]:
    """Place of each value among all: 1 + how many are better; equal values share a place.

    None where there is no value, and everywhere where no direction is better.
    """
    if better == "none":
        return [None] * len(values)
    beats = _beats(better)
    known = [value for value in values if value is not None]
    return [None if v is None else 1 + sum(beats(other, v) for other in known) for v in values]


def _beats(better: Better) -> Callable[[float, float], bool]:
    return float.__gt__ if better == "higher" else float.__lt__


def row_ranks(table: PublishedTable, column: str) -> list[int | None]:
    """Place of each row of a table among the rows it competes with, in the order of the rows.

    What is no method (``reference``) has none, nor what competes with nobody, as a fold or a class.
    """
    places: dict[int, int | None] = {}
    for group in table.groups():
        methods = [row for row in group if not row.reference]
        if sum(row.values[column] is not None for row in methods) < 2:
            continue
        found = ranks([row.values[column] for row in methods], table.better[column])
        places |= {id(row): place for row, place in zip(methods, found, strict=True)}
    return [places.get(id(row)) for row in table.rows]


@dataclass(frozen=True)
class Gain:
    """By how much one printed number is better than another, in the column's unit.

    ``value`` above zero: ``method`` is better. ``half_width``: how far off the printed digits may
    put it. ``relative``: of the other's value, as a share (None where that is 0). ``among``: how
    many proposed rows ``method`` is the best of; above 1 it was chosen by this very number.
    """

    column: str
    labels: Mapping[str, Label]
    method: str
    over: str
    value: float
    relative: float | None
    half_width: float
    among: int

    @property
    def told(self) -> bool:
        """False where the digits cannot tell which of both is better."""
        return abs(self.value) > self.half_width


def gain_of(ours: PrintedNumber, other: PrintedNumber, better: Better) -> tuple[float, float]:
    """How much better ``ours`` is than ``other``, and how far off rounding may put that."""
    sign = -1.0 if better == "lower" else 1.0
    # The digits are decimal: 79.65 - 79.21 is 0.44 and not 0.4400000000000119.
    value = round(sign * (ours.value - other.value), 10)
    return value, ours.half_width + other.half_width


def gains(table: PublishedTable, over: str | None = None) -> list[Gain]:
    """Gain of the best proposed row over the best other one, by column and competing group.

    ``over``: over the row of this method instead. Nothing for columns where no direction is
    better, and where one side prints nothing.
    """
    found = []
    for group in table.groups():
        methods = [row for row in group if not row.reference]
        ours = [row for row in methods if row.proposed]
        others = [row for row in methods if not row.proposed and over in (None, row.method)]
        for column in table.columns:
            found += _gain(table, column, ours, others)
    return found


def best_row(rows: Sequence[PublishedRow], column: str, better: Better) -> PublishedRow | None:
    """The first of the best rows of a column; None where none has a number or no direction is."""
    places = ranks([row.values[column] for row in rows], better)
    return next((row for row, place in zip(rows, places, strict=True) if place == 1), None)


def _gain(
    table: PublishedTable, column: str, ours: Sequence[PublishedRow], others: Sequence[PublishedRow]
) -> list[Gain]:
    better = table.better[column]
    best, other = best_row(ours, column, better), best_row(others, column, better)
    mine = best.numbers[column] if best else None
    theirs = other.numbers[column] if other else None
    if best is None or other is None or mine is None or theirs is None:
        return []
    value, half_width = gain_of(mine, theirs, better)
    labels = {key: best.said[key] for key in table.compare}
    relative = value / abs(theirs.value) if theirs.value else None
    among = sum(row.values[column] is not None for row in ours)
    return [Gain(column, labels, best.method, other.method, value, relative, half_width, among)]
