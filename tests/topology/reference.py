"""Slow and obvious: the (m + n)² assignment, bisection over its costs, and brute force."""

from __future__ import annotations

import bisect
import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching


def wasserstein_reference(
    a: np.ndarray, b: np.ndarray, order: float = 1.0, ground_norm: str = "linf"
) -> float:
    cost = augmented_cost(a, b, ground_norm) ** order
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].sum() ** (1.0 / order))


def bottleneck_reference(a: np.ndarray, b: np.ndarray) -> float:
    """Over all permutations of the augmented matrix: for a handful of bars."""
    cost = augmented_cost(a, b, "linf")
    size = len(cost)
    return min(
        max((cost[i, j] for i, j in enumerate(order)), default=0.0)
        for order in itertools.permutations(range(size))
    )


def bottleneck_by_bisection(a: np.ndarray, b: np.ndarray) -> float:
    """The least cost that occurs within which all (m + n)² bars and diagonals can be matched."""
    cost = augmented_cost(a, b, "linf")
    costs = np.unique(np.append(cost, 0.0))

    def fits(limit: float) -> bool:
        found = maximum_bipartite_matching(csr_array(cost <= limit), perm_type="column")
        return bool((found >= 0).all())

    return float(costs[bisect.bisect_left(costs, True, key=fits)]) if len(cost) else 0.0


def augmented_cost(a: np.ndarray, b: np.ndarray, ground_norm: str) -> np.ndarray:
    m, n = len(a), len(b)
    diagonal = 2.0 if ground_norm == "linf" else np.sqrt(2.0)
    cost = np.zeros((m + n, m + n))
    for i, j in itertools.product(range(m), range(n)):
        apart = np.abs(a[i] - b[j])
        cost[i, j] = apart.max() if ground_norm == "linf" else np.sqrt((apart**2).sum())
    cost[:m, n:] = ((a[:, 1] - a[:, 0]) / diagonal)[:, None]
    cost[m:, :n] = ((b[:, 1] - b[:, 0]) / diagonal)[None, :]
    return cost
