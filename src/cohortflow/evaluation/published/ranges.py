"""All values that printed digits allow, and whether two of them meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable
from cohortflow.evaluation.published.units import UNITS

EPSILON = 1e-9


@dataclass(frozen=True)
class Broken:
    """A cell that does not keep a relation; ``beside``: the other columns of it."""

    row: PublishedRow
    column: str
    about: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Range:
    """From the lowest to the highest value."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


Found = Iterator[Broken]


def printed_range(number: PrintedNumber) -> Range:
    return Range(number.value - number.half_width, number.value + number.half_width)


def numbers_of(row: PublishedRow, columns: Sequence[str]) -> list[PrintedNumber] | None:
    """The numbers of several columns; None where one is missing."""
    found = [number for column in columns if (number := row.numbers[column]) is not None]
    return found if len(found) == len(columns) else None


def differs(number: PrintedNumber, allowed: Range, slack: float) -> bool:
    printed = printed_range(number)
    wide = slack + EPSILON
    return printed.high < allowed.low - wide or printed.low > allowed.high + wide


def shown(value: float, number: PrintedNumber) -> str:
    """A computed value with one digit more than the printed one has."""
    places = max(0, round(-math.log10(2 * number.half_width))) + 1
    return f"{value:.{places}f}"


def share_of(row: PublishedRow, table: PublishedTable, column: str) -> Range | None:
    """A printed share as a part of one."""
    number = row.numbers[column]
    if number is None:
        return None
    per, printed = UNITS[table.units[column]][1], printed_range(number)
    return Range(printed.low / per, printed.high / per)


def weighted_mean(numbers: Sequence[PrintedNumber], weights: Sequence[float]) -> Range:
    whole = sum(weights)
    low = sum(w * printed_range(n).low for n, w in zip(numbers, weights, strict=True)) / whole
    high = sum(w * printed_range(n).high for n, w in zip(numbers, weights, strict=True)) / whole
    return Range(low, high)
