"""Bootstrap intervals of the metrics of classification that have no exact one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortflow.evaluation.calibration import binned
from cohortflow.evaluation.cases import Cases
from cohortflow.evaluation.classification import classification_metrics
from cohortflow.evaluation.columns import Columns, columns_of_cases
from cohortflow.evaluation.measurement import Measurement
from cohortflow.evaluation.statistics.bootstrap import bca_interval, bootstrap_distribution
from cohortflow.evaluation.statistics.resampling import units_of

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
MOST_FOR_BCA = 1000
RESAMPLES = 1999
RESAMPLES_OF_MANY = 499
BCA = "BCa bootstrap within classes, 95 %"
PERCENTILE = "percentile bootstrap within classes, 95 %"


def with_intervals(cases: Cases, metrics: Sequence[str], *, seed: int) -> list[Measurement]:
    """Rows of :func:`classification_metrics`, each with an interval where it can have one.

    Proportions keep their exact one. The others get that of cases drawn anew within each true
    class: BCa, and above a thousand cases, where it is no longer told from it, the percentiles.
    """
    rows = classification_metrics(cases, metrics)
    columns = columns_of_cases(cases)
    return [_with_interval(row, columns, seed) for row in rows]


def _with_interval(row: Measurement, columns: Columns, seed: int) -> Measurement:
    statistic = statistic_of(row.metric, row.label, columns)
    if not row.defined or row.interval or statistic is None:
        return row
    index = np.arange(columns.n, dtype=np.float64)
    if columns.n <= MOST_FOR_BCA:
        found = bca_interval(
            index, statistic, seed=seed, strata=columns.truth.tolist(), resamples=RESAMPLES
        )
        if math.isnan(found.low):
            return replace(row, interval=f"none: {found.reason}")
        return replace(row, low=found.low, high=found.high, interval=BCA)
    units = units_of(columns.n, None, columns.truth.tolist())
    drawn = bootstrap_distribution([index], statistic, units, RESAMPLES_OF_MANY, seed)
    low, high = (float(end) for end in np.quantile(drawn, (0.025, 0.975)))
    return replace(row, low=low, high=high, interval=PERCENTILE)


def statistic_of(metric: str, label: str, columns: Columns) -> Callable[..., Any] | None:
    """The metric of resampled cases: places (…, case) → values (…); None where it is not known."""
    name, _, parameter = metric.partition("@")
    base, _, of = name.partition("/")
    if name in ("brier", "brier/sum"):
        return partial(_mean, _squares(columns) / (2.0 if name == "brier" else 1.0))
    if name == "balanced_accuracy":
        return partial(_macro, _recall, columns, range(len(columns.classes)))
    if name == "ece":
        return partial(_ece, columns, int(parameter))
    found = {"f1": _f1, "auc": _auc, "auprc": _average_precision}.get(base)
    if found is None or of == "micro":
        return None
    chosen = {"macro": range(len(columns.classes)), "": [columns.positive]}
    places = [columns.classes.index(label)] if label else chosen[of]
    return partial(_macro, found, columns, places)


def _mean(values: Floats, index: Floats, axis: int) -> Any:
    return values[index.astype(np.int64)].mean(axis=axis)


def _macro(
    function: Callable[[Columns, int, Index], Floats],
    columns: Columns,
    places: Sequence[int],
    index: Floats,
    axis: int,
) -> Any:
    at = index.astype(np.int64)
    return np.mean([function(columns, place, at) for place in places], axis=0)


def _recall(columns: Columns, place: int, index: Index) -> Floats:
    own = columns.truth == place
    hit = own & (columns.prediction == place)
    return np.asarray(hit[index].sum(axis=-1) / own[index].sum(axis=-1))


def _f1(columns: Columns, place: int, index: Index) -> Floats:
    own = columns.truth == place
    called = columns.prediction == place
    false = ~own & (called | (columns.prediction < 0))
    hits = (own & called)[index].sum(axis=-1)
    wrong = false[index].sum(axis=-1) + (own & ~called)[index].sum(axis=-1)
    return np.asarray(2 * hits / (2 * hits + wrong))


def _auc(columns: Columns, place: int, index: Index) -> Floats:
    """Mann–Whitney: each pair of a case of the class and another, a tie counting half."""
    own, every, _ = _by_rank(columns, place, index)
    others = every - own
    below = others.cumsum(axis=-1) - others
    won = (own * (below + 0.5 * others)).sum(axis=-1)
    return np.asarray(won / (own.sum(axis=-1) * others.sum(axis=-1)))


def _average_precision(columns: Columns, place: int, index: Index) -> Floats:
    """Each found case of the class adds the precision at its rank, ties taken together."""
    own, every, never = _by_rank(columns, place, index)
    positives = own.sum(axis=-1)
    hits = own[..., ::-1].cumsum(axis=-1)[..., ::-1]
    called = every[..., ::-1].cumsum(axis=-1)[..., ::-1]
    precision = np.divide(hits, called, out=np.zeros(hits.shape), where=called > 0)
    return np.asarray((own * precision)[..., never:].sum(axis=-1) / positives)


def _by_rank(columns: Columns, place: int, index: Index) -> tuple[Index, Index, int]:
    """Cases of the class and all cases at each distinct rank (…, rank), the smallest first, and
    how many of the ranks are -inf. Counted, because sorting every resample takes far longer.
    """
    ranks, at = np.unique(columns.ranks[:, place], return_inverse=True)
    rows = index.reshape(-1, index.shape[-1])
    where = at[rows] + len(ranks) * np.arange(len(rows))[:, None]
    own = where[(columns.truth == place)[rows]]
    shape = (*index.shape[:-1], len(ranks))
    size = len(rows) * len(ranks)
    counted = [np.bincount(found.ravel(), minlength=size).reshape(shape) for found in (own, where)]
    return counted[0], counted[1], int(np.isneginf(ranks[0]))


def _squares(columns: Columns) -> Floats:
    truth = np.eye(len(columns.classes))[columns.truth]
    squares = ((columns.probabilities - truth) ** 2).sum(axis=1)
    return np.where(np.isnan(squares), 2.0, squares)


def _ece(columns: Columns, bins: int, index: Floats, axis: int) -> Any:
    known = ~np.isnan(columns.probabilities).any(axis=1)
    found = binned(columns, bins)
    gap, place = np.zeros(columns.n), np.full(columns.n, -1)
    gap[known], place[known] = found.correct - found.confidence, found.place
    at = index.astype(np.int64)
    gaps, places = gap[at], place[at]
    total = (places < 0).sum(axis=-1).astype(np.float64)
    for one in range(bins):
        total += np.abs(np.where(places == one, gaps, 0.0).sum(axis=-1))
    return total / at.shape[-1]
