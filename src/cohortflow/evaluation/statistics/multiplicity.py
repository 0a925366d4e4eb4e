"""p-values of several tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.errors import NotFinite, UsageError
from cohortflow.evaluation.statistics.samples import Floats

Control = Literal["holm", "benjamini-hochberg"]


def adjusted_p_values(p_values: ArrayLike, control: Control = "holm") -> Floats:
    """Adjusted p-values (test) of one family.

    ``holm`` controls the chance of one false positive, ``benjamini-hochberg`` the share of false
    ones among the positives. A test without a p-value (NaN) has none, and counts in the family.

    Raises NotFinite for values outside [0, 1], UsageError for another control.
    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65–70; Benjamini and Hochberg 1995,
    JRSS B 57, 289–300.
    """
    from scipy.stats import false_discovery_control

    if control not in ("holm", "benjamini-hochberg"):
        raise UsageError("no such control", expected="holm or benjamini-hochberg", found=control)
    given = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(given)
    p = np.where(known, given, 1.0)
    if given.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise NotFinite("p-values are not (test) in [0, 1]")
    if p.size == 0:
        return p
    adjusted = _holm(p) if control == "holm" else false_discovery_control(p, method="bh")
    return np.where(known, adjusted, np.nan)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    times = np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * times))
    return adjusted
