"""The difference of two areas under the ROC curve on the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cohortflow.errors import NotFinite, NotLabels, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.statistics.samples import Floats


@dataclass(frozen=True)
class DeLong:
    """Two areas, their standard errors, and their difference (first - second) with its interval.

    NaN with a ``reason`` where there is none. ``positives`` and ``negatives`` are cases.
    """

    positives: int
    negatives: int
    first: float = math.nan
    second: float = math.nan
    first_se: float = math.nan
    second_se: float = math.nan
    difference: float = math.nan
    se: float = math.nan
    low: float = math.nan
    high: float = math.nan
    z: float = math.nan
    p: float = math.nan
    reason: str = ""


def delong_test(
    truth: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.95
) -> DeLong:
    """Two-sided test of two areas that the same cases give.

    truth: (case) of booleans. first, second: (case), larger for positive ones; -inf and inf rank a
    missing case as badly as can be.

    Raises ShapeMismatch, NotLabels, NotFinite for NaN, UsageError.
    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837–845, by the ranks of Sun and
    Xu 2014, IEEE Signal Processing Letters 21, 1389–1393.
    """
    from scipy.special import ndtr, ndtri

    if not 0.0 < level < 1.0:
        raise UsageError("no such interval", expected="0 < level < 1", found=f"{level}")
    refuse_masked(truth, first, second)
    holds = np.asarray(truth)
    scores = [np.asarray(one, dtype=np.float64) for one in (first, second)]
    _check(holds, scores)
    positives, negatives = int(holds.sum()), int((~holds).sum())
    if min(positives, negatives) < 2:
        reason = f"{positives} positive and {negatives} negative cases, and 2 are the least"
        return DeLong(positives, negatives, reason=reason)
    parts = [_placements(holds, one) for one in scores]
    areas = [float(of_positives.mean()) for of_positives, _ in parts]
    covariance = (
        np.cov([own for own, _ in parts]) / positives
        + np.cov([others for _, others in parts]) / negatives
    )
    difference = areas[0] - areas[1]
    variance = float(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
    known = DeLong(
        positives,
        negatives,
        first=areas[0],
        second=areas[1],
        first_se=math.sqrt(max(0.0, float(covariance[0, 0]))),
        second_se=math.sqrt(max(0.0, float(covariance[1, 1]))),
        difference=difference,
    )
    if variance <= 1e-15:
        return replace(known, reason="the difference does not vary over cases")
    se = math.sqrt(variance)
    half = float(ndtri((1.0 + level) / 2.0)) * se
    z = difference / se
    p = 2.0 * float(ndtr(-abs(z)))
    return replace(known, se=se, z=z, p=p, low=difference - half, high=difference + half)


def _placements(holds: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Share of negatives below each positive case, and of positives above each negative one."""
    from scipy.stats import rankdata

    everyone = rankdata(scores)
    own, others = rankdata(scores[holds]), rankdata(scores[~holds])
    below = (everyone[holds] - own) / len(others)
    above = 1.0 - (everyone[~holds] - others) / len(own)
    return below, above


def _check(holds: NDArray[np.bool_], scores: list[Floats]) -> None:
    if holds.ndim != 1 or any(one.shape != holds.shape for one in scores):
        raise ShapeMismatch("columns are not (case) of one length")
    if holds.dtype != bool:
        raise NotLabels("the truth is no boolean", found=str(holds.dtype))
    if any(np.isnan(one).any() for one in scores):
        raise NotFinite("a score is NaN", hint="Rank a missing case by -inf, or inf if negative.")
