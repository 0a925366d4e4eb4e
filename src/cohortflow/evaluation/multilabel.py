"""Metrics where several labels may hold of one case."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import BadProbabilities, EmptyInput, NotLabels, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.measurement import Measurement, measured, undefined
from cohortflow.evaluation.probabilities import area_under_roc, average_precision


def multilabel_metrics(
    truth: ArrayLike, probabilities: ArrayLike, labels: Sequence[str], missing: ArrayLike = ()
) -> list[Measurement]:
    """Average precision and area under the ROC curve of each label, and their means.

    truth: (case, label) of 0 and 1. probabilities: (case, label) in [0, 1]. missing: indices of
    cases without a prediction, whose row of probabilities is not looked at: each counts as never
    found for the labels it has, and above all others for those it has not. A mean is undefined
    while a label has no positive case (for the area: or no negative one).

    Raises ShapeMismatch, EmptyInput for no case, NotLabels for truths that are not 0 or 1 and for
    two labels of one name, UsageError for indices of no case, BadProbabilities for ones that are
    not finite or outside [0, 1].
    """
    holds, ranks = _checked(truth, probabilities, labels, missing)
    precisions = [
        _of_label("map/label", average_precision, name, holds[:, i], ranks[:, i], both=False)
        for i, name in enumerate(labels)
    ]
    areas = [
        _of_label("auc/label", area_under_roc, name, holds[:, i], ranks[:, i], both=True)
        for i, name in enumerate(labels)
    ]
    n = len(holds)
    return [*precisions, _mean("map", precisions, n), *areas, _mean("auc/labels", areas, n)]


def _of_label(
    metric: str,
    function: Callable[[NDArray[np.bool_], NDArray[np.float64]], float],
    name: str,
    holds: NDArray[np.bool_],
    ranks: NDArray[np.float64],
    *,
    both: bool,
) -> Measurement:
    if not holds.any():
        return undefined(metric, len(holds), f"no case of {name}", label=name)
    if both and holds.all():
        return undefined(metric, len(holds), f"no case without {name}", label=name)
    return measured(metric, function(holds, ranks), len(holds), label=name)


def _mean(metric: str, rows: Sequence[Measurement], n: int) -> Measurement:
    reasons = "; ".join(row.reason for row in rows if not row.defined)
    if reasons:
        return undefined(metric, n, reasons)
    return measured(metric, math.fsum(row.value for row in rows) / len(rows), n)


def _checked(
    truth: ArrayLike, probabilities: ArrayLike, labels: Sequence[str], missing: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    refuse_masked(truth, probabilities, missing)
    holds, ranks = np.asarray(truth), np.array(probabilities, dtype=np.float64)
    if holds.ndim != 2 or holds.shape != ranks.shape or holds.shape[1] != len(labels):
        raise ShapeMismatch(
            "truth and probabilities are not (case, label) of one shape",
            expected=f"(case, {len(labels)}) both",
            found=f"{holds.shape} and {ranks.shape}",
        )
    if holds.size == 0:
        raise EmptyInput("there is no case to evaluate")
    if not np.isin(holds, (0, 1)).all():
        raise NotLabels("a truth is neither 0 nor 1")
    if len(set(labels)) < len(labels):
        raise NotLabels("two labels of one name", found=", ".join(labels))
    lost = _lost(missing, len(holds))
    good = np.isfinite(ranks) & (ranks >= 0.0) & (ranks <= 1.0)
    if not good[~lost].all():
        raise BadProbabilities(
            "a probability is none",
            expected="0 … 1",
            found=f"{int((~good[~lost]).any(axis=1).sum())} cases with another",
        )
    worst = np.where(holds == 1, -np.inf, np.inf)
    return holds == 1, np.where(lost[:, None], worst, ranks)


def _lost(missing: ArrayLike, cases: int) -> NDArray[np.bool_]:
    """Booleans (case) of indices; a mask of booleans would pass for the cases 0 and 1."""
    places = np.asarray(missing)
    if places.size and (places.dtype.kind not in "iu" or places.min() < 0 or places.max() >= cases):
        raise UsageError(
            "missing cases are told by their indices",
            where="missing",
            expected=f"whole numbers, 0 … {cases - 1}",
            found=str(missing)[:80],
        )
    lost = np.zeros(cases, bool)
    lost[places.astype(np.int64)] = True
    return lost
