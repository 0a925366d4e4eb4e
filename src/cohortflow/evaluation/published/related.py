"""Printed numbers held against each other, within what rounding allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cohortflow.errors import BadPublishedTable
from cohortflow.evaluation.published import relations as r
from cohortflow.evaluation.published.papers import Paper
from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable
from cohortflow.evaluation.published.units import UNITS

_EPSILON = 1e-9


@dataclass(frozen=True)
class Broken:
    """A cell that does not keep a relation; ``beside``: the other columns of it."""

    row: PublishedRow
    column: str
    about: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Range:
    """All values that numbers as printed allow."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


_Found = Iterator[Broken]


def broken(relation: r.Relation, table: PublishedTable, paper: Paper) -> list[Broken]:
    """The cells of a table that do not keep a relation within their printed digits."""
    rows = [row for row in table.rows if row.fits(relation.rows)]
    return list(_CHECKS[type(relation)](relation, rows, table, paper))


def _range(number: PrintedNumber) -> _Range:
    return _Range(number.value - number.half_width, number.value + number.half_width)


def _numbers(row: PublishedRow, columns: Sequence[str]) -> list[PrintedNumber] | None:
    """The numbers of several columns; None where one is missing."""
    found = [number for column in columns if (number := row.numbers[column]) is not None]
    return found if len(found) == len(columns) else None


def _differs(number: PrintedNumber, allowed: _Range, slack: float) -> bool:
    printed = _range(number)
    wide = slack + _EPSILON
    return printed.high < allowed.low - wide or printed.low > allowed.high + wide


def _shown(value: float, number: PrintedNumber) -> str:
    """A computed value with one digit more than the printed one has."""
    places = max(0, round(-math.log10(2 * number.half_width))) + 1
    return f"{value:.{places}f}"


def _share(row: PublishedRow, table: PublishedTable, column: str) -> _Range | None:
    """A printed share as a part of one."""
    number = row.numbers[column]
    if number is None:
        return None
    per, printed = UNITS[table.units[column]][1], _range(number)
    return _Range(printed.low / per, printed.high / per)


def _mean(relation: r.Mean, rows: Any, table: Any, paper: Any) -> _Found:
    weights = relation.weights or [1.0] * len(relation.of)
    for row in rows:
        numbers, mean = _numbers(row, relation.of), row.numbers[relation.column]
        if numbers is None or mean is None:
            continue
        allowed = _weighted(numbers, weights)
        if _differs(mean, allowed, relation.slack):
            told = _shown(allowed.middle, mean)
            about = f"{mean.text} is printed as the mean of columns whose mean is {told}"
            yield Broken(row, relation.column, about, tuple(relation.of))


def _weighted(numbers: Sequence[PrintedNumber], weights: Sequence[float]) -> _Range:
    whole = sum(weights)
    low = sum(w * _range(n).low for n, w in zip(numbers, weights, strict=True)) / whole
    high = sum(w * _range(n).high for n, w in zip(numbers, weights, strict=True)) / whole
    return _Range(low, high)


def _harmonic(relation: r.Harmonic, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    per = UNITS[table.units[relation.column]][1]
    for row in rows:
        shares = [_share(row, table, column) for column in relation.of]
        away = [_share(row, table, column) for column in relation.complements]
        printed = row.numbers[relation.column]
        if printed is None or None in (*shares, *away):
            continue
        parts = [*shares, *(_Range(1 - one.high, 1 - one.low) for one in away if one)]
        low = _harmonic_mean([one.low for one in parts if one])
        high = _harmonic_mean([one.high for one in parts if one])
        allowed = _Range(0.0 if relation.averaged else low * per, high * per)
        if _differs(printed, allowed, relation.slack):
            told = _shown((low + high) / 2 * per, printed)
            most = "at most " if relation.averaged else ""
            about = f"{printed.text} is printed where {_and(relation)} give {most}{told}"
            yield Broken(row, relation.column, about, (*relation.of, *relation.complements))


def _and(relation: r.Harmonic) -> str:
    return ", ".join((*relation.of, *relation.complements))


def _harmonic_mean(values: Sequence[float]) -> float:
    if min(values) <= 0:
        return 0.0
    return len(values) / sum(1 / value for value in values)


def _overlap(relation: r.Overlap, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    per = UNITS[table.units[relation.iou]][1]
    for row in rows:
        dice, iou = _share(row, table, relation.dice), row.numbers[relation.iou]
        if dice is None or iou is None:
            continue
        least, most = dice.low / (2 - dice.low), dice.high / (2 - dice.high)
        top = most if relation.pooled else dice.high
        if _differs(iou, _Range(least * per, top * per), relation.slack):
            told = _shown((least + most) / 2 * per, iou)
            rule = "gives" if relation.pooled else "allows no less than"
            about = f"{iou.text} is printed where the {relation.dice} beside it {rule} {told}"
            yield Broken(row, relation.iou, about, (relation.dice,))


def _sum(relation: r.Sum, rows: Any, table: Any, paper: Any) -> _Found:
    for row in rows:
        numbers, total = _numbers(row, relation.of), row.numbers[relation.column]
        if numbers is None or total is None:
            continue
        exact = sum(number.value for number in numbers)
        off = 0.0 if relation.exact else sum(number.half_width for number in numbers)
        wide = relation.slack + off + (0.0 if relation.exact else total.half_width) + _EPSILON
        if abs(total.value - exact) > wide:
            about = f"{total.text} is printed where {' + '.join(relation.of)} is {exact:g}"
            yield Broken(row, relation.column, about, tuple(relation.of))


def _part(relation: r.Share, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    per = UNITS[table.units[relation.column]][1]
    for row in rows:
        numbers, part = _numbers(row, relation.of), row.numbers[relation.part]
        printed = row.numbers[relation.column]
        if numbers is None or part is None or printed is None:
            continue
        value = per * part.value / sum(number.value for number in numbers)
        if _differs(printed, _Range(value, value), relation.slack):
            told = _shown(value, printed)
            about = f"{printed.text} is printed where {relation.part} is {told} of the whole"
            yield Broken(row, relation.column, about, (relation.part, *relation.of))


def _counts(relation: r.Counts, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    for row in rows:
        for column in relation.columns:
            printed, per = row.numbers[column], UNITS[table.units[column]][1]
            if printed is None:
                continue
            near = [per * round(printed.value / per * n) / n for n in relation.n]
            if all(_differs(printed, _Range(one, one), relation.slack) for one in near):
                sizes = ", ".join(map(str, relation.n))
                yield Broken(row, column, f"{printed.text} is no whole count of {sizes} cases")


def _rates(relation: r.Rates, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    per = UNITS[table.units[relation.accuracy]][1]
    share = relation.positives
    for row in rows:
        sensitivity = _share(row, table, relation.sensitivity)
        specificity = _share(row, table, relation.specificity)
        printed = row.numbers[relation.accuracy]
        if printed is None or sensitivity is None or specificity is None:
            continue
        low = share * sensitivity.low + (1 - share) * specificity.low
        high = share * sensitivity.high + (1 - share) * specificity.high
        if _differs(printed, _Range(per * low, per * high), relation.slack):
            told = _shown(per * (low + high) / 2, printed)
            about = f"{printed.text} is printed where sensitivity and specificity give {told}"
            beside = (relation.sensitivity, relation.specificity)
            yield Broken(row, relation.accuracy, about, beside)


def _distance(relation: r.Distance, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    origin = _twin(table, {"method": relation.origin}).numbers[relation.of]
    for row in rows:
        value, printed = row.numbers[relation.of], row.numbers[relation.column]
        if origin is None or value is None or printed is None:
            continue
        away, off = abs(value.value - origin.value), value.half_width + origin.half_width
        # Both sides are exact decimals of the same print: no rounding between them.
        if abs(printed.value - away) > relation.slack + min(off, printed.half_width) + _EPSILON:
            told = f"{away:.{max(2, len(printed.text.partition('.')[2]))}f}"
            about = f"{printed.text} is printed where {relation.of} is {told} away"
            yield Broken(row, relation.column, about, (relation.of,))


def _peak(relation: r.Peak, rows: Any, table: Any, paper: Any) -> _Found:
    for row in rows:
        psnr, rmse = row.numbers[relation.psnr], row.numbers[relation.rmse]
        if psnr is None or rmse is None:
            continue
        value = 20 * math.log10(relation.range / rmse.value)
        if _differs(psnr, _Range(value, value), relation.slack):
            told = _shown(value, psnr)
            about = f"{psnr.text} dB is printed where {relation.rmse} gives {told}"
            yield Broken(row, relation.psnr, about, (relation.rmse,))


def _row_mean(relation: r.RowMean, rows: Any, table: PublishedTable, paper: Any) -> _Found:
    for row in rows:
        parts = [
            one
            for one in table.rows
            if one.labels.get(relation.label) in relation.over and one.method == row.method
        ]
        for column in relation.columns:
            values = [n for part in parts if (n := part.numbers[column]) is not None]
            printed = row.numbers[column]
            if printed is None or len(values) != len(parts):
                continue
            allowed = _weighted(values, [1.0] * len(values))
            if _differs(printed, allowed, relation.slack):
                told = _shown(allowed.middle, printed)
                yield Broken(row, column, f"{printed.text} is printed where rows average {told}")
            yield from _spread(row, column, printed, values)


def _spread(
    row: PublishedRow, column: str, printed: PrintedNumber, values: Sequence[PrintedNumber]
) -> _Found:
    """The printed standard deviation is the rows', of a sample or of a population."""
    if printed.sd is None or len(values) < 2:
        return
    mean = sum(one.value for one in values) / len(values)
    squares = sum((one.value - mean) ** 2 for one in values)
    sample, population = (math.sqrt(squares / n) for n in (len(values) - 1, len(values)))
    off = max(one.half_width for one in values)
    if not population - off <= printed.sd <= sample + off:
        told = f"{sample:.2g} (sample) or {population:.2g} (population)"
        yield Broken(row, column, f"sd {printed.sd:g} is printed where the rows' is {told}")


def _same(relation: r.Same, rows: Any, table: PublishedTable, paper: Paper) -> _Found:
    other = paper.table(relation.table)
    for row in rows:
        if row.method not in relation.methods:
            continue
        wanted: Mapping[str, Any] = {**relation.there, "method": relation.methods[row.method]}
        twin = _twin(other, wanted)
        for here, there in relation.columns.items():
            printed, again = row.numbers[here], twin.numbers[there]
            if printed is None or again is None:
                continue
            spreads = {printed.sd, again.sd} - {None}
            if _differs(printed, _range(again), relation.slack) or len(spreads) > 1:
                about = f"{printed} is printed where {other.printed_in} has {again}"
                yield Broken(row, here, about)


def _twin(table: PublishedTable, wanted: Mapping[str, Any]) -> PublishedRow:
    found = [row for row in table.rows if row.fits(wanted)]
    if len(found) != 1:
        raise BadPublishedTable(
            "a row that should be printed again, and is not there once",
            where=table.id,
            expected=str(dict(wanted)),
            found=f"{len(found)} times",
        )
    return found[0]


_CHECKS: dict[type, Callable[[Any, Any, PublishedTable, Paper], _Found]] = {
    r.Mean: _mean,
    r.Harmonic: _harmonic,
    r.Overlap: _overlap,
    r.Sum: _sum,
    r.Share: _part,
    r.Counts: _counts,
    r.Rates: _rates,
    r.Distance: _distance,
    r.Peak: _peak,
    r.RowMean: _row_mean,
    r.Same: _same,
}
