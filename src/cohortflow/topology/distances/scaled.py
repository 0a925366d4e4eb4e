"""Distances so small, or of so high an order, that powers of their costs leave float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Floats, GroundNorm, between, to_diagonal
from cohortflow.topology.distances.augmented import whole_assignment
from cohortflow.topology.distances.bottleneck import bottleneck_distance
from cohortflow.topology.distances.prepared import Bars, Indices, Prepared, ahead

SMALL = 1e-140
"""Below this the square of a length is no normal number."""
SMALL_POWER = 1e-280


def too_small(costs: Floats, order: float) -> npt.NDArray[np.bool_]:
    """Whether sums of cost^order may have lost terms that matter."""
    return np.asarray(costs < (SMALL if order == 1.0 else SMALL_POWER))


def scaled_distance(
    a: Prepared, i: int, b: Prepared, j: int, order: float, ground_norm: GroundNorm
) -> float:
    """The distance of diagram i of a and j of b, essential bars among them."""
    first, second = sorted((a.one(i), b.one(j)), key=ahead)
    finite = scaled_matching(first, second, order, ground_norm)[0]
    return _power_sum([finite, *np.abs(a.endless(i) - b.endless(j))], order)


def _power_sum(values: Sequence[float], order: float) -> float:
    """(sum of value^order)^(1/order) of values ≥ 0."""
    largest = max(values)
    if largest == 0.0:
        return 0.0
    return float(largest * ((np.array(values) / largest) ** order).sum() ** (1.0 / order))


def scaled_matching(
    a: Bars, b: Bars, order: float, ground_norm: GroundNorm
) -> tuple[float, Indices]:
    """The distance itself, and partners as in
    :func:`~cohortflow.topology.distances.augmented.augmented_matching`.

    Costs are divided by the bottleneck distance: an optimal matching has a cost of at least 1 then,
    and what overflows is in none, as that of the bottleneck costs no more than sqrt(2) each.
    """
    left, right = (np.column_stack([x.births, x.deaths]) for x in (a, b))
    alone = [to_diagonal(bars, ground_norm) for bars in (left, right)]
    scale = bottleneck_distance(left, right)
    if scale == 0.0:
        # They differ in bars that cost nothing at most: the others are equal,
        # and pair in their order.
        partner = np.full(len(left), -1)
        partner[alone[0] > 0.0] = np.flatnonzero(alone[1] > 0.0)
        return 0.0, partner
    with np.errstate(over="ignore"):
        powers = [(cost / scale) ** order for cost in (between(left, right, ground_norm), *alone)]
    total, partner = whole_assignment(*powers)
    return scale * total ** (1.0 / order), partner
