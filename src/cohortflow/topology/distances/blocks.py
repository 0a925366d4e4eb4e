"""All pairs of two lists of diagrams, some at a time, and what their essential bars cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.prepared import Prepared

SIZE = 256

Solve = Callable[[Prepared, Prepared, bool], Floats]


def by_blocks(a: Prepared, b: Prepared, symmetric: bool, solve: Solve) -> Floats:
    """Distances (diagram of a, diagram of b);
    ``solve(rows, columns, same)`` gives those of a block.

    Where ``symmetric``, a and b are one list: the blocks above the diagonal are mirrored. Between
    compiled calls of this size the interpreter hears an interrupt.
    """
    if max(len(a.alone), len(b.alone)) <= SIZE:
        return solve(a, b, symmetric)
    out = np.empty((len(a.alone), len(b.alone)))
    for i in range(0, len(a.alone), SIZE):
        for j in range(i if symmetric else 0, len(b.alone), SIZE):
            part = solve(a.block(i, i + SIZE), b.block(j, j + SIZE), symmetric and i == j)
            out[i : i + SIZE, j : j + SIZE] = part
            if symmetric and i != j:
                out[j : j + SIZE, i : i + SIZE] = part.T
    return out


def essential_costs(a: Prepared, b: Prepared, order: float) -> Floats:
    """Sums of cost^order of the essential bars, for order = inf their largest cost; inf where two
    diagrams differ in their number.

    On a line the sorted births are an optimal matching for every order ≥ 1.
    """
    costs = np.full((len(a.alone), len(b.alone)), np.inf)
    counts_a, counts_b = np.diff(a.essential_offsets), np.diff(b.essential_offsets)
    for count in np.intersect1d(counts_a, counts_b):
        rows, columns = np.flatnonzero(counts_a == count), np.flatnonzero(counts_b == count)
        step = np.arange(count)
        left = a.essential[a.essential_offsets[rows][:, None] + step]
        right = b.essential[b.essential_offsets[columns][:, None] + step]
        apart = np.abs(left[:, None, :] - right[None, :, :])
        total = apart.max(axis=2, initial=0.0) if np.isinf(order) else (apart**order).sum(axis=2)
        costs[np.ix_(rows, columns)] = total
    return costs
