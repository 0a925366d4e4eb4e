"""Printed numbers held against each other, within what rounding allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cohortflow.evaluation.published import across_rows as across
from cohortflow.evaluation.published import relations as r
from cohortflow.evaluation.published import within_rows as within
from cohortflow.evaluation.published.papers import Paper
from cohortflow.evaluation.published.ranges import Broken, Found
from cohortflow.evaluation.published.tables import PublishedTable


def broken(relation: r.Relation, table: PublishedTable, paper: Paper) -> list[Broken]:
    """The cells of a table that do not keep a relation within their printed digits."""
    rows = [row for row in table.rows if row.fits(relation.rows)]
    return list(_CHECKS[type(relation)](relation, rows, table, paper))


_CHECKS: dict[type, Callable[[Any, Any, PublishedTable, Paper], Found]] = {
    r.Mean: within.mean,
    r.Harmonic: within.harmonic,
    r.Overlap: within.overlap,
    r.Sum: within.total,
    r.Share: within.part,
    r.Counts: within.counts,
    r.Rates: within.rates,
    r.Distance: across.distance,
    r.Peak: within.peak,
    r.RowMean: across.row_mean,
    r.Same: across.same,
}
