"""Diagrams whose bars share one birth (every H0 of a cloud): matching on a line, of any order.

Compiled; imported on first use: numba takes a second to load and some to compile, once per process.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats

Indices = npt.NDArray[np.int64]
ONE = np.uint64(1)


@njit(nogil=True, error_model="numpy")
def line_partners(diagonal_a: Floats, diagonal_b: Floats, table: Floats, partner: Indices) -> None:
    """Write the partner of each bar of ``a``, -1 for the diagonal: the way back through ``table``,
    which :func:`line_cost` filled with a row per anti-diagonal."""
    i, j = len(diagonal_a), len(diagonal_b)
    for k in range(i):
        partner[k] = -1
    while i > 0 and j > 0:
        here = table[i + j, i]
        if here == table[i + j - 1, i - 1] + diagonal_a[i - 1]:
            i -= 1
        elif here == table[i + j - 1, i] + diagonal_b[j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            partner[i] = j


@njit(nogil=True, error_model="numpy")
def line_cost(
    deaths_a: Floats,
    deaths_b: Floats,
    diagonal_a: Floats,
    diagonal_b: Floats,
    order: float,
    table: Floats,
) -> float:
    """Least sum of cost^order of matching sorted deaths (bar,), exact, in O(m n).

    With equal births both ground norms are |death - death'|, so uncrossing a matching never raises
    its cost and some optimum keeps the order of deaths:
    F[i, j] = min(F[i-1, j] + diagonal_a[i], F[i, j-1] + diagonal_b[j],
    F[i-1, j-1] + |deaths_a[i] - deaths_b[j]|^order). Walked along the anti-diagonals d = i + j,
    where no cell waits for its neighbour. ``diagonal_*`` (bar,) are already powers of ``order``.
    ``table`` has m + 1 columns; its row d, modulo its 3 (or m + n + 1) rows, holds F[i, d - i]
    at i.
    """
    m, n, rows = len(deaths_a), len(deaths_b), len(table)
    # b is turned round, so that a step along the anti-diagonal is a step forward in every array.
    turned_deaths, turned_diagonal = deaths_b[::-1].copy(), diagonal_b[::-1].copy()
    table[0, 0] = 0.0
    # Rows by number: to take and drop an array counts references, once per anti-diagonal.
    before, last, current = rows - 1, 0, 1
    for d in range(1, m + n + 1):
        low, high = max(1, d - n), min(m, d - 1)
        if low <= high:
            _cells(
                table, before, last, current, deaths_a, diagonal_a, turned_deaths, turned_diagonal,
                np.uint64(low), np.uint64(high - low + 1), np.uint64(n - d + low), order,
            )  # fmt: skip
        if d <= n:
            table[current, 0] = table[last, 0] + diagonal_b[d - 1]
        if d <= m:
            table[current, d] = table[last, d - 1] + diagonal_a[d - 1]
        before, last, current = last, current, current + 1 if current + 1 < rows else 0
    return float(table[last, m])


@njit(nogil=True, error_model="numpy", forceinline=True)
def _cells(
    table: Floats, before: int, last: int, current: int, deaths_a: Floats, diagonal_a: Floats,
    turned_deaths: Floats, turned_diagonal: Floats,
    low: np.uint64, count: np.uint64, shift: np.uint64, order: float,
) -> None:  # fmt: skip
    # Unsigned indices cannot count from the end: only so the loops are turned into SIMD code.
    for k in range(count):
        i = low + k
        apart = deaths_a[i - ONE] - turned_deaths[shift + k]
        apart = apart * apart if order == 2.0 else abs(apart) ** order
        matched = table[before, i - ONE] + apart
        skip_a = table[last, i - ONE] + diagonal_a[i - ONE]
        skip_b = table[last, i] + turned_diagonal[shift + k]
        skipped = skip_a if skip_a < skip_b else skip_b
        table[current, i] = matched if matched < skipped else skipped
