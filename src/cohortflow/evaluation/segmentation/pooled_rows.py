"""Rows of a summary over the voxels of all cases in one count, with intervals over cases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.evaluation.segmentation.metrics import COUNTS, SUMMED
from cohortflow.evaluation.segmentation.overlap import Counts, overlap_parts
from cohortflow.evaluation.segmentation.pooled import LabelCounts, counts_of_case, pooled_value
from cohortflow.evaluation.segmentation.summary_row import About, SummaryRow
from cohortflow.evaluation.statistics.case_intervals import CaseIntervals

if TYPE_CHECKING:
    import pandas as pd


def pooled_rows(
    tables: Mapping[str, pd.DataFrame], expected: Sequence[str], intervals: CaseIntervals | None
) -> list[SummaryRow]:
    """``dice/voxels`` and the others of every label, where the tables hold counts of voxels.

    Of a case without scores nobody knows the voxels: with one, there is no value, and the number
    as counted is of the cases that are left.
    """
    return [
        row
        for about, cases in _cases_of_labels(tables)
        for metric in SUMMED
        for row in _rows(about, metric, cases, len(expected), intervals)
    ]


def _cases_of_labels(
    tables: Mapping[str, pd.DataFrame],
) -> Iterator[tuple[About, dict[str, LabelCounts]]]:
    """Each label, and the counts of the cases that have them; slices of a case are one case."""
    import pandas as pd

    parts = [
        table[table["metric"].isin(COUNTS)].assign(case=case) for case, table in tables.items()
    ]
    counts = pd.concat(parts)
    for _, rows in counts.groupby(["label", "name", "policy"], sort=False, observed=True):
        label, name, policy = next(rows[["label", "name", "policy"]].itertuples(index=False))
        failed = set(rows.loc[rows["state"] == "failed", "case"])
        sums = rows.groupby(["case", "metric"])["value"].sum(min_count=1).unstack("metric")
        known = sums.dropna()[list(COUNTS)]
        cases = {
            case: counts_of_case(Counts(*values), case in failed)
            for case, values in zip(known.index.astype(str), known.to_numpy().tolist(), strict=True)
        }
        yield About(label, name, "", "1", policy), cases


def _rows(
    about: About,
    metric: str,
    cases: Mapping[str, LabelCounts],
    expected: int,
    intervals: CaseIntervals | None,
) -> Iterator[SummaryRow]:
    nobody = Counts(0, 0, 0, 0)
    away = expected - len(cases)
    total = sum(cases.values(), LabelCounts(nobody, nobody, 0, away))
    nowhere = not away and not total.as_worst.reference + total.as_worst.prediction
    for way, counts, flagged in total.ways():
        value, reason = pooled_value(metric, counts, total.missing), flagged
        if nowhere:
            value, reason = math.nan, "undefined: the label is in no case"
        elif away and not flagged:
            value = math.nan
            reason = f"undefined: nobody knows the voxels of {away} cases without scores"
        elif away:
            reason = f"of {total.n} cases that have scores, {flagged}"
        low, high, how = math.nan, math.nan, "none: there is no value" if intervals else ""
        if intervals is not None and not math.isnan(value):
            low, high, how = _interval(metric, cases, bool(flagged), intervals)
        yield SummaryRow(
            **about._replace(metric=f"{metric}/{way}")._asdict(),
            value=value,
            statistic="pooled",
            per="voxel",
            low=low,
            high=high,
            interval=how,
            n=0 if nowhere else total.n,
            cases=expected,
            missing=total.missing,
            left_out=0,
            published=bool(flagged),
            reason=reason,
        )


def _interval(
    metric: str, cases: Mapping[str, LabelCounts], as_counted: bool, intervals: CaseIntervals
) -> tuple[float, float, str]:
    """Of the ratio of sums, drawing cases."""
    import numpy as np

    own = [one.as_counted if as_counted else one.as_worst for one in cases.values()]
    above, below = np.array([overlap_parts(metric, one) for one in own], np.float64).T

    def ratio(above: Any, below: Any, axis: int) -> Any:
        with np.errstate(invalid="ignore"):
            return above.sum(axis=axis) / below.sum(axis=axis)

    return intervals.of_columns([above, below], list(cases), ratio)
