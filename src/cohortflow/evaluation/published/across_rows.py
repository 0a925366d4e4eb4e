"""Relations between printed rows, of one table or of two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.errors import BadPublishedTable
from cohortflow.evaluation.published import relations as r
from cohortflow.evaluation.published.papers import Paper
from cohortflow.evaluation.published.printed import PrintedNumber
from cohortflow.evaluation.published.ranges import (
    EPSILON,
    Broken,
    Found,
    differs,
    printed_range,
    shown,
    weighted_mean,
)
from cohortflow.evaluation.published.tables import PublishedRow, PublishedTable


def distance(relation: r.Distance, rows: Any, table: PublishedTable, paper: Any) -> Found:
    origin = _twin(table, {"method": relation.origin}).numbers[relation.of]
    for row in rows:
        value, printed = row.numbers[relation.of], row.numbers[relation.column]
        if origin is None or value is None or printed is None:
            continue
        away, off = abs(value.value - origin.value), value.half_width + origin.half_width
        # Both sides are exact decimals of the same print: no rounding between them.
        if abs(printed.value - away) > relation.slack + min(off, printed.half_width) + EPSILON:
            told = f"{away:.{max(2, len(printed.text.partition('.')[2]))}f}"
            about = f"{printed.text} is printed where {relation.of} is {told} away"
            yield Broken(row, relation.column, about, (relation.of,))


def row_mean(relation: r.RowMean, rows: Any, table: PublishedTable, paper: Any) -> Found:
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
            allowed = weighted_mean(values, [1.0] * len(values))
            if differs(printed, allowed, relation.slack):
                told = shown(allowed.middle, printed)
                yield Broken(row, column, f"{printed.text} is printed where rows average {told}")
            yield from _spread(row, column, printed, values)


def _spread(
    row: PublishedRow, column: str, printed: PrintedNumber, values: Sequence[PrintedNumber]
) -> Found:
    """The printed standard deviation is the rows', of a sample or of a population."""
    if printed.sd is None or len(values) < 2:
        return
    mean = sum(one.value for one in values) / len(values)
    squares = sum((one.value - mean) ** 2 for one in values)
    sample, population = (math.sqrt(squares / n) for n in (len(values) - 1, len(values)))
    off = max(one.half_width for one in values) + printed.sd_half_width + EPSILON
    if not population - off <= printed.sd <= sample + off:
        told = f"{sample:.2g} (sample) or {population:.2g} (population)"
        yield Broken(row, column, f"sd {printed.sd_text} is printed where the rows' is {told}")


def same(relation: r.Same, rows: Any, table: PublishedTable, paper: Paper) -> Found:
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
            if differs(printed, printed_range(again), relation.slack) or len(spreads) > 1:
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
