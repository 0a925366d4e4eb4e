"""A confidence interval of the rank-biserial correlation."""

from __future__ import annotations

import numpy as np

from cohortflow.errors import UsageError
from cohortflow.topology.group_maps.rank_sum import Floats

HALVINGS = 60


def rank_biserial_interval(
    effect: Floats, first: int, second: int, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Lower and upper ends, in the shape of ``effect``, from groups of so many subjects.

    The values θ of P(first > second) + P(equal) / 2 whose distance to the estimate is within the
    normal quantile of their own standard error, put on the scale 2 θ - 1. So the interval is never
    empty nor outside [-1, 1], also where the groups do not overlap. Ties make it wider than need
    be. It is of one pair: over many pairs as many as 1 - ``confidence`` of them miss.

    Source: Newcombe 2006, Statistics in Medicine 25, 559–573, method 5.
    """
    from scipy.special import ndtri

    if not 0.0 < confidence < 1.0:
        raise UsageError(f"confidence={confidence:g}", expected="between 0 and 1")
    if min(first, second) < 1:
        raise UsageError("an interval needs both groups", found=f"{first} and {second} subjects")
    if not (np.abs(effect) <= 1.0).all():
        raise UsageError("a rank-biserial correlation lies in [-1, 1]", found=str(effect))
    z = float(ndtri((1.0 + confidence) / 2.0))
    low = 2.0 * _lowest((1.0 + effect) / 2.0, first, second, z) - 1.0
    high = 1.0 - 2.0 * _lowest((1.0 - effect) / 2.0, first, second, z)
    return low, high


def _lowest(estimate: Floats, m: int, n: int, z: float) -> Floats:
    """The least θ within z standard errors below ``estimate``, by bisection."""
    low, high = np.zeros_like(estimate), np.array(estimate, dtype=np.float64)
    spare = (m + n) / 2.0 - 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        more = spare * ((1.0 - middle) / (2.0 - middle) + middle / (1.0 + middle))
        error = np.sqrt(middle * (1.0 - middle) * (1.0 + more) / (m * n))
        below = estimate - middle > z * error
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
