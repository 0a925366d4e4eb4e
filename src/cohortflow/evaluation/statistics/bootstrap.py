"""Bias-corrected and accelerated bootstrap intervals, of groups within strata."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cohortflow.errors import UsageError
from cohortflow.evaluation.statistics.resampling import Indices, Labels, Units, units_of
from cohortflow.evaluation.statistics.samples import NO_VARIANCE, Floats, columns_of, too_few

Statistic = Callable[..., Any]
"""A function of columns (…, case) along the keyword ``axis``: ``numpy.mean``, say."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval (NaN with a ``reason`` where there is none).

    ``n`` cases of ``units`` groups that were resampled, in ``strata``.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int
    units: int
    strata: int
    resamples: int
    reason: str = ""


def bca_interval(
    columns: Sequence[Any] | Floats,
    statistic: Statistic,
    *,
    seed: int,
    groups: Labels | None = None,
    strata: Labels | None = None,
    level: float = 0.95,
    resamples: int = 9999,
) -> Interval:
    """BCa interval of a statistic of cases.

    columns: (case), or several of one length that are resampled together, as paired values are.
    groups: (case) labels of what is drawn as a whole, patients with several recordings. strata:
    (case) labels within which is drawn, as many as there are: the classes of an AUC.

    Without groups and strata it is that of ``scipy.stats.bootstrap``; strata enter as that
    function's independent samples, groups as its observations.

    Raises EmptyInput, ShapeMismatch, NotFinite, UsageError.
    Source: Efron 1987, JASA 82, 171–185; Efron and Tibshirani 1993, section 14.3.
    """
    if not 0.0 < level < 1.0 or resamples < 1:
        raise UsageError(
            "no such interval", expected="0 < level < 1, 1 resample", found=f"{level}, {resamples}"
        )
    several = len(columns) > 0 and np.ndim(columns[0]) > 0
    data = columns_of(*columns) if several else columns_of(columns)
    units = units_of(len(data[0]), groups, strata)
    estimate = float(statistic(*data, axis=-1))
    reason = _refused(units)
    low = high = math.nan
    if not reason:
        drawn = bootstrap_distribution(data, statistic, units, resamples, seed)
        low, high, reason = bca_ends(data, statistic, units, estimate, drawn, level)
    return Interval(
        estimate,
        low,
        high,
        level,
        "BCa bootstrap",
        len(data[0]),
        len(units.members),
        len(units.strata),
        resamples,
        reason,
    )


def bootstrap_distribution(
    data: Sequence[Floats], statistic: Statistic, units: Units, resamples: int, seed: int
) -> Floats:
    """The statistic (resample) of resampled units."""
    blocks = units.draws(resamples, np.random.default_rng(seed))
    return _values(data, statistic, units, blocks)


def bca_ends(
    data: Sequence[Floats],
    statistic: Statistic,
    units: Units,
    estimate: float,
    drawn: Floats,
    level: float,
) -> tuple[float, float, str]:
    """Ends of the interval of a bootstrap distribution (resample), or a reason against it."""
    from scipy.special import ndtr, ndtri

    odd = int((~np.isfinite(drawn)).sum())
    if odd or not math.isfinite(estimate):
        hint = "draw within strata, where that is for a class without cases"
        return math.nan, math.nan, f"undefined in {odd} of {len(drawn)} resamples; {hint}"
    if np.ptp(drawn) <= 1e-12 * max(1.0, abs(estimate)):
        return math.nan, math.nan, NO_VARIANCE
    # Sums in another order differ by rounding: what ties should not turn on that.
    rounding = 1e-13 * float(np.abs(drawn).max())
    below, above = drawn < estimate - rounding, drawn > estimate + rounding
    share = (1.0 + below.mean() - above.mean()) / 2.0
    if not 0.0 < share < 1.0:
        return math.nan, math.nan, "the estimate lies outside all resamples"
    bias = float(ndtri(share))
    acceleration = _acceleration(data, statistic, units)
    if not math.isfinite(acceleration):
        return math.nan, math.nan, "no unit makes a difference to the value when it is left out"
    ends = []
    for z in (float(ndtri((1.0 - level) / 2.0)), float(ndtri((1.0 + level) / 2.0))):
        shifted = bias + z
        at = ndtr(bias + shifted / (1.0 - acceleration * shifted))
        ends.append(float(np.quantile(drawn, at)))
    return ends[0], ends[1], ""


def _acceleration(data: Sequence[Floats], statistic: Statistic, units: Units) -> float:
    """By leaving out one unit after the other: equation 15.36 of Efron and Tibshirani 1993."""
    cubes = squares = 0.0
    for stratum in units.strata:
        n = float(len(stratum))
        values = _values(data, statistic, units, units.left_out(stratum))
        influence = (n - 1.0) * (values.mean() - values)
        cubes += float((influence**3).sum()) / n**3
        squares += float((influence**2).sum()) / n**2
    return cubes / squares**1.5 / 6.0 if squares > 0.0 else math.nan


def _values(
    data: Sequence[Floats], statistic: Statistic, units: Units, blocks: Iterable[Indices]
) -> Floats:
    found = [
        np.atleast_1d(statistic(*(column[cases] for column in data), axis=-1))
        for block in blocks
        for cases in units.cases_of(block)
    ]
    return np.concatenate(found).astype(np.float64)


def _refused(units: Units) -> str:
    single = sum(len(stratum) == 1 for stratum in units.strata)
    if single:
        return f"{single} of {len(units.strata)} strata hold one unit, which cannot vary"
    return too_few(len(units.members), "units")
