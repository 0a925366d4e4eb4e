"""Slow and obvious: the (m + n)² assignment with one slack per bar, and bisection by brute force."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment


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
