"""H0 alone: the edges of a minimum spanning tree by Prim, without a matrix of all lengths.

Compiled; imported on first use. Time n², room n: one row of lengths at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cohortflow.topology.bars import Floats


@njit(nogil=True, error_model="numpy")
def tree_of_points(coordinates: Floats) -> Floats:
    """Lengths (point - 1,) of the tree of points (coordinate, point);
    ``coordinates`` is overwritten.

    Squares are compared and the root is taken last: it keeps the order, so the tree is the same.
    """
    dimension, n = coordinates.shape
    nearest, tree = np.empty(n), np.empty(n - 1)
    for w in range(n):
        nearest[w] = np.inf
    row = np.empty(n)
    for left in range(n - 1, 0, -1):
        # The point that joined last stands behind those that are left.
        for w in range(left):
            row[w] = 0.0
        for k in range(dimension):
            here, others = coordinates[k, left], coordinates[k]
            for w in range(left):
                apart = here - others[w]
                row[w] += apart * apart
        best = _nearer(nearest, row, left)
        tree[n - 1 - left] = np.sqrt(nearest[best])
        nearest[best] = nearest[left - 1]
        for k in range(dimension):
            here = coordinates[k, best]
            coordinates[k, best] = coordinates[k, left - 1]
            coordinates[k, left - 1] = here
    return tree


@njit(nogil=True, error_model="numpy")
def tree_of_matrix(matrix: Floats) -> Floats:
    """The same of a matrix of lengths (point, point); inf means no edge."""
    n = len(matrix)
    nearest, tree, names = np.empty(n), np.empty(n - 1), np.empty(n, np.int64)
    for w in range(n):
        nearest[w], names[w] = np.inf, w
    row = np.empty(n)
    for left in range(n - 1, 0, -1):
        lengths = matrix[names[left]]
        for w in range(left):
            row[w] = lengths[names[w]]
        best = _nearer(nearest, row, left)
        tree[n - 1 - left] = nearest[best]
        nearest[best] = nearest[left - 1]
        names[best], names[left - 1] = names[left - 1], names[best]
    return tree


@njit(nogil=True, error_model="numpy")
def _nearer(nearest: Floats, row: Floats, left: int) -> int:
    """Lower the first ``left`` distances to those of ``row``; which is the least."""
    # Doubles that are not negative sort as their bits do, and integers are compared by SIMD code.
    old, new = nearest.view(np.int64), row.view(np.int64)
    least = old[0]
    least = new[0] if new[0] < least else least
    for w in range(left):
        old[w] = new[w] if new[w] < old[w] else old[w]
        least = old[w] if old[w] < least else least
    best = 0
    while old[best] != least:
        best += 1
    return best
