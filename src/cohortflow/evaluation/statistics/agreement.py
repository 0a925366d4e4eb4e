"""Agreement of two methods of measurement on the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.errors import UsageError
from cohortflow.evaluation.statistics.samples import NO_VARIANCE, columns_of, too_few

Ends = tuple[float, float]
NO_ENDS = (math.nan, math.nan)


@dataclass(frozen=True)
class BlandAltman:
    """Bias (mean of first - second), sd of the differences, limits of agreement, with intervals.

    In ``unit``; NaN with a ``reason`` where there are none. ``share`` of differences are expected
    between the limits; intervals are of ``level`` by ``method``.
    """

    bias: float
    sd: float
    lower: float
    upper: float
    bias_interval: Ends
    lower_interval: Ends
    upper_interval: Ends
    n: int
    unit: str
    share: float
    level: float
    method: str
    reason: str = ""


def bland_altman(
    first: ArrayLike,
    second: ArrayLike,
    *,
    unit: str,
    share: float = 0.95,
    level: float = 0.95,
    method: Literal["exact", "approximate"] = "exact",
) -> BlandAltman:
    """Bias and limits of agreement of first - second (case), which should be about normal.

    Limits are bias ± z sd, z = 1.96 for a ``share`` of 0.95. ``exact`` intervals of a limit come
    from the noncentral t distribution, ``approximate`` ones from the standard error
    sd √(1/n + z² / (2 (n - 1))) and Student's t. One pair a case: repeated ones are no longer
    independent, and need another method.

    Raises EmptyInput, ShapeMismatch, NotFinite, UsageError.
    Source: Bland and Altman 1999, Statistical Methods in Medical Research 8, 135–160; Carkeet
    2015, Optometry and Vision Science 92, e71–e80, for exact ones.
    """
    from scipy.special import ndtri
    from scipy.stats import t

    if not (0.0 < share < 1.0 and 0.0 < level < 1.0):
        raise UsageError("share and level lie between 0 and 1", found=f"{share:g}, {level:g}")
    a, b = columns_of(first, second)
    differences = a - b
    n, bias = a.size, float(differences.mean())
    reason = too_few(n) or (NO_VARIANCE if np.ptp(differences) == 0.0 else "")
    if reason:
        nothing = (math.nan,) * 3, (NO_ENDS,) * 3
        return BlandAltman(bias, *nothing[0], *nothing[1], n, unit, share, level, method, reason)
    sd = float(differences.std(ddof=1))
    z = float(ndtri((1.0 + share) / 2.0))
    inner, outer = limit_factors(n, z, level, method)
    half = float(t.ppf((1.0 + level) / 2.0, n - 1)) * sd / math.sqrt(n)
    return BlandAltman(
        bias,
        sd,
        bias - z * sd,
        bias + z * sd,
        (bias - half, bias + half),
        (bias - outer * sd, bias - inner * sd),
        (bias + inner * sd, bias + outer * sd),
        n,
        unit,
        share,
        level,
        method,
    )


def limit_factors(n: int, z: float, level: float, method: str) -> Ends:
    """How many sd of n differences from their mean the interval of the limit mean + z sd goes."""
    from scipy.stats import nct, t

    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    if method == "exact":
        inner, outer = nct.ppf(tails, n - 1, z * math.sqrt(n)) / math.sqrt(n)
    elif method == "approximate":
        inner, outer = z + t.ppf(tails, n - 1) * math.sqrt(1.0 / n + z * z / (2.0 * (n - 1)))
    else:
        raise UsageError("no such interval", expected="exact or approximate", found=method)
    return float(inner), float(outer)
