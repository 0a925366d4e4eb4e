"""The whole assignment of two diagrams: a bar and a diagonal for every bar. Slow and obvious."""

from __future__ import annotations

import numpy as np

from cohortflow.topology.bars import Floats, GroundNorm, between
from cohortflow.topology.distances.prepared import Bars, Indices
from cohortflow.topology.distances.room import refuse_beyond_memory


def augmented_matching(
    a: Bars, b: Bars, order: float, ground_norm: GroundNorm
) -> tuple[float, Indices]:
    """Least sum of cost^order, and the partner (bar of a,), -1 for the diagonal; (m + n)² cells.

    No cost is subtracted from another here, so it keeps the digits of diagrams of long bars that
    hardly differ, where a gain over the diagonal is rounded away.
    """
    left, right = (np.column_stack([x.births, x.deaths]) for x in (a, b))
    return whole_assignment(between(left, right, ground_norm) ** order, a.diagonal, b.diagonal)


def whole_assignment(paired: Floats, alone_a: Floats, alone_b: Floats) -> tuple[float, Indices]:
    """The same of costs: ``paired`` (bar of a, bar of b) and those of the diagonal (bar,)."""
    from scipy.optimize import linear_sum_assignment

    m, n = paired.shape
    refuse_beyond_memory(m + n, m + n)
    cost = np.zeros((m + n, m + n))
    cost[:m, :n], cost[:m, n:], cost[m:, :n] = paired, alone_a[:, None], alone_b
    rows, columns = linear_sum_assignment(cost)
    partner = np.where(columns[:m] < n, columns[:m], -1)
    return float(cost[rows, columns].sum()), partner
