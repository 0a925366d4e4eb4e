"""Metrics of numbers predicted for cases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.measurement import Measurement, measured, undefined

REGRESSION_METRICS = ("mae", "rmse", "abs_rel", "bias", "r2")
_OF_THE_VALUES = ("mae", "rmse", "bias")


def regression_metrics(
    truth: Sequence[float],
    prediction: Sequence[float | None],
    *,
    unit: str,
    worst: float | None = None,
    metrics: Sequence[str] = REGRESSION_METRICS,
) -> list[Measurement]:
    """One row per metric, over cases; ``unit`` of the values, as ml or year.

    A case whose prediction is None is missing. As an error has no bound, every metric is then
    undefined with that reason, unless ``worst`` states the error a missing case counts as; it must
    be no smaller than the errors that were made. ``bias`` stays undefined: it has no worst side.

    Raises EmptyInput for no case, ShapeMismatch, NotFinite for NaN or infinity, UsageError for a
    ``worst`` that is not.
    """
    values, errors, missing = _errors(truth, prediction, worst)
    rows = []
    for metric in metrics:
        shown = unit if metric in _OF_THE_VALUES else ""
        reason = _undefined_because(metric, values, missing, worst)
        if reason:
            rows.append(undefined(metric, len(values), reason, unit=shown))
        else:
            rows.append(measured(metric, _value(metric, values, errors), len(values), unit=shown))
    return rows


def _errors(
    truth: Sequence[float], prediction: Sequence[float | None], worst: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Truth (case), prediction - truth (case; ``worst`` where missing), number of missing ones."""
    if len(truth) != len(prediction):
        raise ShapeMismatch(
            "there is not one prediction for each truth; a missing one is None",
            expected=str(len(truth)),
            found=str(len(prediction)),
        )
    if len(truth) == 0:
        raise EmptyInput("there is no case to evaluate")
    refuse_masked(truth, prediction)
    values = np.asarray(truth, dtype=np.float64)
    given = np.array([value is not None for value in prediction])
    told = np.array([0.0 if value is None else value for value in prediction], dtype=np.float64)
    if not (np.isfinite(values).all() and np.isfinite(told).all()):
        raise NotFinite("a truth or a prediction is NaN or infinite", hint="A missing one is None.")
    errors = np.where(given, told - values, math.nan if worst is None else worst)
    made = float(np.abs(errors[given]).max(initial=0.0))
    if worst is not None and not (math.isfinite(worst) and worst >= made):
        raise UsageError(
            "the error that a missing case counts as is not the worst",
            where="worst",
            expected=f"at least {made:g}, the largest error made",
            found=f"{worst:g}",
        )
    return values, errors, int((~given).sum())


def _undefined_because(
    metric: str, truth: NDArray[np.float64], missing: int, worst: float | None
) -> str:
    if metric not in REGRESSION_METRICS:
        raise UsageError(
            f"no metric {metric!r} of regression", expected=", ".join(REGRESSION_METRICS)
        )
    if missing and (worst is None or metric == "bias"):
        return f"{missing} of {len(truth)} cases are missing, and this metric has no worst value"
    if metric == "abs_rel" and (zeros := int((truth == 0.0).sum())):
        return f"the truth of {zeros} of {len(truth)} cases is 0"
    if metric == "r2" and np.ptp(truth) == 0.0:
        return "the truth is constant"
    return ""


def _value(metric: str, truth: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    if metric == "mae":
        return float(np.abs(errors).mean())
    if metric == "rmse":
        return float(np.sqrt((errors**2).mean()))
    if metric == "abs_rel":
        return float((np.abs(errors) / np.abs(truth)).mean())
    if metric == "bias":
        return float(errors.mean())
    return float(1.0 - (errors**2).sum() / ((truth - truth.mean()) ** 2).sum())
