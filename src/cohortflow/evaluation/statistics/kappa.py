"""Agreement of two raters beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohortflow.errors import EmptyInput, ShapeMismatch
from cohortflow.evaluation.statistics.bootstrap import Interval, bca_interval

RESAMPLES = 1999


@dataclass(frozen=True)
class RaterAgreement:
    """``share``: cases named alike; ``kappa`` with its interval, NaN where both name one class."""

    n: int
    share: float
    kappa: float
    interval: Interval


def cohen_kappa(
    first: Sequence[str], second: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> RaterAgreement:
    """Cohen's kappa, unweighted, of classes (case) named by two raters, with its BCa interval.

    The value is scikit-learn's. Raises EmptyInput, ShapeMismatch.
    Source: Cohen 1960, Educational and Psychological Measurement 20, 37–46.
    """
    from sklearn.metrics import cohen_kappa_score

    if len(first) != len(second):
        raise ShapeMismatch("two raters, two lengths", found=f"{len(first)} and {len(second)}")
    if not len(first):
        raise EmptyInput("no case that both rated")
    classes = sorted({*first, *second})
    codes = [np.array([classes.index(name) for name in names]) for names in (first, second)]
    value = cohen_kappa_score(*codes) if len(classes) > 1 else np.nan
    interval = bca_interval(
        [code.astype(float) for code in codes], _kappa, seed=seed, resamples=resamples
    )
    share = float(np.mean(codes[0] == codes[1]))
    return RaterAgreement(len(first), share, float(value), interval)


def _kappa(first: Any, second: Any, axis: int) -> Any:
    """Of columns (…, case): many resamples at once; NaN where chance alone agrees always."""
    alike = np.mean(first == second, axis=axis)
    classes = np.union1d(first, second)
    chance = sum(
        np.mean(first == name, axis=axis) * np.mean(second == name, axis=axis) for name in classes
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1.0, (alike - chance) / (1.0 - chance), np.nan)
