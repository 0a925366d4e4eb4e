"""The pairs of one tile that one algorithm solves, in one compiled call without the lock.

Imported on first use, as :mod:`cohortflow.topology.distances.line_matching`. Each function compiles by itself,
so a process that only meets H0 waits for the line alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.line_matching import line_cost
from cohortflow.topology.distances.line_sweep import keep_on_line, kept_cost
from cohortflow.topology.distances.plane_matching import FLOATS, INTS, plane_cost
from cohortflow.topology.distances.prepared import Bars, Indices

Flags = npt.NDArray[np.bool_]


@njit(nogil=True, error_model="numpy")
def sweep_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices, todo: Flags, out: Floats
) -> None:
    """Costs of order 1 of the pairs (row, column) in ``todo``, each of one birth."""
    size = _most(starts_a) + _most(starts_b)
    keys, labels = np.empty((4, size + 1)), np.empty((4, size + 1), np.int32)
    kept = np.empty(size, np.uint8)
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                x, y, ahead = _ordered(a, starts_a, i, b, starts_b, j)
                out[i, j] = 0.0
                if ahead:
                    keep_on_line(
                        x.births[0], x.deaths, y.deaths, x.diagonal, y.diagonal, keys, labels, kept
                    )
                    out[i, j] = kept_cost(x.deaths, y.deaths, x.diagonal, y.diagonal, kept, keys[0])


@njit(nogil=True, error_model="numpy")
def line_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices, order: float, todo: Flags, out: Floats
) -> None:
    """The same of any order."""
    table = np.empty((3, max(_most(starts_a), _most(starts_b)) + 1))
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                x, y, ahead = _ordered(a, starts_a, i, b, starts_b, j)
                out[i, j] = 0.0
                if ahead:
                    out[i, j] = line_cost(x.deaths, y.deaths, x.diagonal, y.diagonal, order, table)


@njit(nogil=True, error_model="numpy")
def plane_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices,
    order: float, l2: bool, todo: Flags, out: Floats,
) -> None:  # fmt: skip
    """Costs of the pairs in ``todo``, of any births; NaN where rounding could show."""
    size = max(_most(starts_a), _most(starts_b))
    partner = np.empty(size, np.int64)
    floats, ints = np.empty((FLOATS, size)), np.empty((INTS, size), np.int64)
    cells = 0
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                bars = starts_a[i + 1] - starts_a[i], starts_b[j + 1] - starts_b[j]
                cells = max(cells, bars[0] * bars[1])
    gains = np.empty(cells)
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                x, y, ahead = _ordered(a, starts_a, i, b, starts_b, j)
                out[i, j] = 0.0
                if ahead:
                    out[i, j] = plane_cost(x, y, order, l2, partner, gains, floats, ints)


@njit(nogil=True, error_model="numpy")
def _ordered(
    a: Bars, starts_a: Indices, i: int, b: Bars, starts_b: Indices, j: int
) -> tuple[Bars, Bars, bool]:
    """The one of fewer bars first, else by their values; whether they differ at all.

    So every algorithm meets a pair in one order, and a distance has the same bits from either side.
    """
    p, q = starts_a[i], starts_b[j]
    m, n = starts_a[i + 1] - p, starts_b[j + 1] - q
    ahead = n - m
    k = 0
    while ahead == 0 and k < m:
        if a.births[p + k] != b.births[q + k]:
            ahead = 1 if a.births[p + k] < b.births[q + k] else -1
        elif a.deaths[p + k] != b.deaths[q + k]:
            ahead = 1 if a.deaths[p + k] < b.deaths[q + k] else -1
        k += 1
    x = Bars(a.births[p : p + m], a.deaths[p : p + m], a.diagonal[p : p + m])
    y = Bars(b.births[q : q + n], b.deaths[q : q + n], b.diagonal[q : q + n])
    return (x, y, ahead != 0) if ahead >= 0 else (y, x, True)


@njit(nogil=True, error_model="numpy")
def _most(starts: Indices) -> int:
    most = 0
    for k in range(len(starts) - 1):
        most = max(most, starts[k + 1] - starts[k])
    return most
