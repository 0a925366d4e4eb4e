"""Diagrams whose bars share one birth (every H0 of a cloud): matching on a line, compiled.

Imported on first use: numba takes a second to load and another to compile, once per process.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cohortflow.topology.bars import Floats


@njit(nogil=True, error_model="numpy")
def line_cost(
    deaths_a: Floats, deaths_b: Floats, diagonal_a: Floats, diagonal_b: Floats, order: float
) -> float:
    """Least sum of cost^order of matching sorted deaths (bar,), exact, in O(m n).

    With equal births both ground norms are |death - death'|, so uncrossing a matching never raises
    its cost and some optimum keeps the order of deaths:
    F[i, j] = min(F[i-1, j] + diagonal_a[i], F[i, j-1] + diagonal_b[j],
    F[i-1, j-1] + |deaths_a[i] - deaths_b[j]|^order). Walked along the anti-diagonals d = i + j,
    where no cell waits for its neighbour. ``diagonal_*`` (bar,) are already powers of ``order``.
    """
    m, n = len(deaths_a), len(deaths_b)
    before = np.full(m + 1, np.inf)  # F[i, d - 2 - i] at i
    last = np.full(m + 1, np.inf)  # F[i, d - 1 - i] at i
    current = np.full(m + 1, np.inf)
    apart = np.empty(m + 1)
    # b is turned round, so that a step along the anti-diagonal is a step forward in every array.
    turned_deaths, turned_diagonal = deaths_b[::-1].copy(), diagonal_b[::-1].copy()
    last[0] = 0.0
    for d in range(1, m + n + 1):
        low, high = max(1, d - n), min(m, d - 1)
        if low <= high:
            a, b = slice(low - 1, high), slice(n - d + low, n - d + high + 1)
            _apart(deaths_a[a], turned_deaths[b], order, apart[a])
            _cells(
                before[a], apart[a], last[a], diagonal_a[a],
                last[low : high + 1], turned_diagonal[b], current[low : high + 1],
            )  # fmt: skip
        if d <= n:
            current[0] = last[0] + diagonal_b[d - 1]
        if d <= m:
            current[d] = last[d - 1] + diagonal_a[d - 1]
        before, last, current = last, current, before
    return float(last[m])


@njit(nogil=True, error_model="numpy")
def _apart(a: Floats, b: Floats, order: float, out: Floats) -> None:
    for k in range(len(out)):
        out[k] = abs(a[k] - b[k])
    if order == 2.0:
        for k in range(len(out)):
            out[k] *= out[k]
    elif order != 1.0:
        for k in range(len(out)):
            out[k] = out[k] ** order


@njit(nogil=True, error_model="numpy")
def _cells(
    corner: Floats, apart: Floats, above: Floats, alone_a: Floats,
    left: Floats, alone_b: Floats, out: Floats,
) -> None:  # fmt: skip
    # A function of its own: inlined by hand, the loop is not turned into SIMD code (6 times slower).
    for k in range(len(out)):
        matched, skip_a, skip_b = corner[k] + apart[k], above[k] + alone_a[k], left[k] + alone_b[k]
        skipped = skip_a if skip_a < skip_b else skip_b
        out[k] = matched if matched < skipped else skipped
