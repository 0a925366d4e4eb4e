"""The pairs of one tile that one algorithm solves, in one compiled call without the lock.

Imported on first use, as :mod:`cohortflow.topology.distances.line_matching`. Each function compiles
by itself, so a process that only meets H0 waits for the line alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.line_matching import line_cost
from cohortflow.topology.distances.line_squares import (
    COLUMNS,
    LANES,
    ROWS,
    SIDE,
    blocks_of,
    lay_out,
    square_costs,
)
from cohortflow.topology.distances.line_sweep import keep_on_line, kept_cost
from cohortflow.topology.distances.line_sweeps import (
    BARS,
    COLUMN,
    FIELDS,
    FIRST,
    ROW,
    SECOND,
    sweep_pairs,
)
from cohortflow.topology.distances.plane_matching import FLOATS, INTS, plane_cost
from cohortflow.topology.distances.prepared import Bars, Indices

Flags = npt.NDArray[np.bool_]


@njit(nogil=True, error_model="numpy")
def sweep_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices, todo: Flags, out: Floats
) -> None:
    """Costs of order 1 of the pairs (row, column) in ``todo``, each of one birth;
    NaN where rounding could show."""
    most = _most(starts_a) + _most(starts_b)
    of_a, of_b = _places(starts_a), _places(starts_b)
    lengths, costs = np.empty(of_a + of_b), np.empty(of_a + of_b)
    _lay_out(a, starts_a, lengths, costs)
    _lay_out(b, starts_b, lengths[of_a:], costs[of_a:])
    pairs = np.empty((todo.size, FIELDS), np.int64)
    count = _list_pairs(a, starts_a, b, starts_b, of_a, todo, pairs, out)
    sweep_pairs(pairs, count, lengths, costs, np.empty(4 * (most + 1)), out)


@njit(nogil=True, error_model="numpy")
def kept_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices, todo: Flags, out: Floats
) -> None:
    """The same of any size, in twice the time: sums of the costs of the bars that are matched."""
    size = _most(starts_a) + _most(starts_b)
    keys, labels = np.empty((2, size + 1)), np.empty((2, size + 1), np.int32)
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
def _places(starts: Indices) -> int:
    """Bars of all diagrams, and one place more for each."""
    size = len(starts) - 1
    return int(starts[size] - starts[0] + size)


@njit(nogil=True, error_model="numpy")
def _lay_out(bars: Bars, starts: Indices, lengths: Floats, costs: Floats) -> None:
    """Write lengths and costs of all bars, and an infinite one after each diagram."""
    at = 0
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            lengths[at], costs[at] = bars.deaths[k] - bars.births[k], bars.diagonal[k]
            at += 1
        lengths[at], costs[at] = np.inf, np.inf
        at += 1


@njit(nogil=True, error_model="numpy")
def _list_pairs(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices,
    of_a: int, todo: Flags, pairs: Indices, out: Floats,
) -> int:  # fmt: skip
    """Write the pairs in ``todo`` that differ, as ``sweep_pairs`` takes them; how many. The others
    cost nothing. ``of_a``: where the bars of b begin."""
    count = 0
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                out[i, j] = 0.0
                ahead = _ahead(a, starts_a, i, b, starts_b, j)
                first, second = starts_a[i] - starts_a[0] + i, of_a + starts_b[j] - starts_b[0] + j
                if ahead < 0:
                    first, second = second, first
                if ahead != 0:
                    pairs[count, ROW], pairs[count, COLUMN] = i, j
                    pairs[count, FIRST], pairs[count, SECOND] = first, second
                    bars_b = starts_b[j + 1] - starts_b[j]
                    pairs[count, BARS] = starts_a[i + 1] - starts_a[i] + bars_b
                    count += 1
    return count


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
def square_tile(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices,
    lanes: int, count: int, todo: Flags, out: Floats,
) -> None:  # fmt: skip
    """The same of order 2; NaN where the sizes of pairs that would be solved together differ so
    much that they are better solved one by one. ``todo`` has ``count`` pairs; ``lanes``: see
    :func:`~cohortflow.topology.distances.line_squares.square_costs`."""
    rows = np.empty(blocks_of(_most(starts_a)) * ROWS)
    columns = np.empty((blocks_of(_most(starts_b)) + 1) * COLUMNS)
    costs, pairs = np.empty(LANES), np.empty((LANES, 2), np.int64)
    waiting = 0
    for i in range(todo.shape[0]):
        for j in range(todo.shape[1]):
            if todo[i, j]:
                for k in range(waiting, LANES):  # the last, if too few, goes beside itself
                    pairs[k, 0], pairs[k, 1] = i, j
                count, waiting = count - 1, waiting + 1
                if waiting == LANES or count == 0:
                    waiting = 0
                    _solve_together(a, starts_a, b, starts_b, lanes, pairs, rows, columns, costs)
                    for k in range(LANES):
                        out[pairs[k, 0], pairs[k, 1]] = costs[k]


@njit(nogil=True, error_model="numpy")
def _solve_together(
    a: Bars, starts_a: Indices, b: Bars, starts_b: Indices,
    lanes: int, pairs: Indices, rows: Floats, columns: Floats, costs: Floats,
) -> None:  # fmt: skip
    strips, blocks, cells = _extent(starts_a, starts_b, pairs)
    # A cell alone takes 2.5 times as long as one of a block.
    if 5 * cells < 2 * LANES * (strips * SIDE) * (blocks * SIDE):
        costs[:] = np.nan
        return
    for k in range(LANES):
        lay_out(a, starts_a, pairs[k, 0], strips, ROWS, k, rows)
        lay_out(b, starts_b, pairs[k, 1], blocks, COLUMNS, k, columns)
    square_costs(rows, strips, columns, blocks, lanes, costs)


@njit(nogil=True, error_model="numpy")
def _extent(starts_a: Indices, starts_b: Indices, pairs: Indices) -> tuple[int, int, int]:
    """Blocks of rows and of columns that hold each of the pairs, and cells of all their tables."""
    strips, blocks, cells = 0, 0, 0
    for k in range(LANES):
        m = starts_a[pairs[k, 0] + 1] - starts_a[pairs[k, 0]]
        n = starts_b[pairs[k, 1] + 1] - starts_b[pairs[k, 1]]
        strips, blocks = max(strips, blocks_of(m)), max(blocks, blocks_of(n))
        cells += m * n
    return strips, blocks, cells


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
    ahead = _ahead(a, starts_a, i, b, starts_b, j)
    x = Bars(a.births[p : p + m], a.deaths[p : p + m], a.diagonal[p : p + m])
    y = Bars(b.births[q : q + n], b.deaths[q : q + n], b.diagonal[q : q + n])
    return (x, y, ahead != 0) if ahead >= 0 else (y, x, True)


@njit(nogil=True, error_model="numpy")
def _ahead(a: Bars, starts_a: Indices, i: int, b: Bars, starts_b: Indices, j: int) -> int:
    """Above 0 where the diagram of a goes first, below 0 where that of b does,
    0 where they are equal."""
    p, q = starts_a[i], starts_b[j]
    m = starts_a[i + 1] - p
    ahead = starts_b[j + 1] - q - m
    k = 0
    while ahead == 0 and k < m:
        if a.births[p + k] != b.births[q + k]:
            ahead = 1 if a.births[p + k] < b.births[q + k] else -1
        elif a.deaths[p + k] != b.deaths[q + k]:
            ahead = 1 if a.deaths[p + k] < b.deaths[q + k] else -1
        k += 1
    return int(ahead)


@njit(nogil=True, error_model="numpy")
def _most(starts: Indices) -> int:
    most = 0
    for k in range(len(starts) - 1):
        most = max(most, starts[k + 1] - starts[k])
    return most
