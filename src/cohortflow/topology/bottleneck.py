"""Exact bottleneck distance of two persistence diagrams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Essential, Floats, between, split_bars, to_diagonal


def bottleneck_distance(
    a: npt.ArrayLike, b: npt.ArrayLike, essential: Essential = "refuse"
) -> float:
    """Exact bottleneck distance of two diagrams (bar, 2), in the unit of their filtration.

    The least, over matchings, of the largest L∞ cost; the diagonal costs persistence / 2. It is the
    Wasserstein distance of order infinity. ``essential`` as in :func:`wasserstein_distance`.
    """
    left, right = split_bars(a, essential), split_bars(b, essential)
    if len(left.essential) != len(right.essential):
        return float("inf")
    endless = np.abs(left.essential - right.essential)
    return float(max(endless.max(initial=0.0), _finite_bottleneck(left.finite, right.finite)))


def _finite_bottleneck(a: Floats, b: Floats) -> float:
    """Bisection over the costs that occur: the answer is one of them."""
    alone_a, alone_b = to_diagonal(a, "linf"), to_diagonal(b, "linf")
    cost = between(a, b, "linf")
    candidates = np.unique(np.concatenate([[0.0], alone_a, alone_b, cost.ravel()]))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if _matches_within(candidates[middle], cost, alone_a, alone_b):
            high = middle
        else:
            low = middle + 1
    return float(candidates[low])


def _matches_within(limit: float, cost: Floats, alone_a: Floats, alone_b: Floats) -> bool:
    """Whether every bar that cannot go to the diagonal finds a partner within ``limit``.

    Matchings that cover the needy bars of either side can be joined into one that covers both
    (Mendelsohn and Dulmage), so the sides are asked one after the other.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    for costs, alone in ((cost, alone_a), (cost.T, alone_b)):
        near = costs[alone > limit] <= limit
        if near.size == 0:
            if len(near):
                return False
            continue
        if (maximum_bipartite_matching(csr_array(near), perm_type="column") < 0).any():
            return False
    return True
