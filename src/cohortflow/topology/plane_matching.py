"""Diagrams in the plane of births and deaths: a partial assignment, compiled, of any order.

Imported on first use, as :mod:`cohortflow.topology.line_matching`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.prepared import Bars

Indices = npt.NDArray[np.int64]
FLOATS, INTS = 5, 4  # rows of room that ``assign`` asks for
DIGITS, EPSILON = 1e-10, 2.3e-16


@njit(nogil=True, error_model="numpy")
def plane_cost(
    a: Bars, b: Bars, order: float, l2: bool,
    partner: Indices, gains: Floats, floats: Floats, ints: Indices,
) -> float:  # fmt: skip
    """Least sum of cost^order of two diagrams, m ≤ n bars; NaN where rounding could show.

    A matched pair that costs more than both its bars cost at the diagonal is cut without loss. So the
    assignment of (m + n)² bars and diagonals shrinks to m × n gains, cost[i, j] - diagonal_a[i] -
    diagonal_b[j], with bars that may stay alone at 0. ``partner`` (m or more,) is written, -1 for the
    diagonal; ``gains`` (m * n or more,), ``floats`` and ``ints`` as in :func:`assign` are room.
    """
    m, n = len(a.births), len(b.births)
    gain = gains[: m * n].reshape(m, n)
    exponent = order / 2.0 if l2 else order
    largest = 0.0
    for i in range(m):
        row, alone = gain[i], a.diagonal[i]
        for j in range(n):
            row[j] = _apart(b.births[j] - a.births[i], b.deaths[j] - a.deaths[i], l2)
        for j in range(n):
            row[j] = _power(row[j], exponent) - (alone + b.diagonal[j])
        largest = max(largest, alone)
    assign(gain, partner, floats, ints)
    # The costs of the matching, not "all alone minus the gain", which loses digits.
    total, owner = 0.0, ints[0]
    for i in range(m):
        j = partner[i]
        if j < 0:
            total += a.diagonal[i]
        else:
            apart = _apart(b.births[j] - a.births[i], b.deaths[j] - a.deaths[i], l2)
            total += _power(apart, exponent)
    for j in range(n):
        total += b.diagonal[j] if owner[j] < 0 else 0.0
        largest = max(largest, b.diagonal[j])
    # The gains are rounded at the size of the diagonal costs, which a total of long bars that hardly
    # differ can be far below.
    return total if total > EPSILON / DIGITS * (m + n) * largest else np.nan


@njit(nogil=True, error_model="numpy")
def _apart(across: float, up: float, l2: bool) -> float:
    """Ground distance from differences of births and deaths; in L2 its square."""
    across, up = abs(across), abs(up)
    return across * across + up * up if l2 else (across if across > up else up)


@njit(nogil=True, error_model="numpy")
def _power(base: float, exponent: float) -> float:
    if exponent == 1.0:
        return base
    if exponent == 0.5:
        return float(np.sqrt(base))
    return base * base if exponent == 2.0 else base**exponent


@njit(nogil=True, error_model="numpy")
def assign(cost: Floats, partner: Indices, floats: Floats, ints: Indices) -> None:
    """Match rows with columns, or leave them alone at 0, at the least sum of costs.

    ``cost`` (row, column), rows ≤ columns; ``partner`` (row,) is written, -1 for alone. ``floats``
    (FLOATS, columns or more) and ``ints`` (INTS, same) are room; ``ints[0]`` ends as the row that
    owns each column, -1 for none. Exact.

    Duals u (row) and v (column) with u[i] + v[j] ≤ cost[i, j], u ≤ 0, v ≤ 0, v = 0 on columns
    nobody has, and equality on matched pairs and on rows left alone prove that none is cheaper.
    Each row starts at its nearest column; rows that find it taken are let in one by one.
    """
    rows, columns = cost.shape
    u, v, owner, waiting = floats[0], floats[1][:columns], ints[0], ints[1]
    for j in range(columns):
        v[j], owner[j] = 0.0, -1
    late = 0
    for i in range(rows):
        partner[i] = -1
        j = _least(cost[i])
        u[i] = min(cost[i, j], 0.0)
        if u[i] < 0.0:
            if owner[j] < 0:
                owner[j], partner[i] = i, j
            else:
                waiting[late] = i
                late += 1
    for k in range(late):
        _let_in(waiting[k], cost, partner, owner, u, v, floats[2:], ints[2:])


@njit(nogil=True, error_model="numpy")
def _let_in(
    root: int, cost: Floats, partner: Indices, owner: Indices,
    u: Floats, v: Floats, floats: Floats, ints: Indices,
) -> None:  # fmt: skip
    """Dijkstra over reduced costs from a row to the cheapest way out: a free column, or a row that
    it reached and that had better be alone."""
    columns = cost.shape[1]
    distance, hidden, entered = floats[0][:columns], floats[1], floats[2]
    parent, scanned = ints[0][:columns], ints[1]
    for j in range(columns):
        distance[j] = np.inf
    i, floor, count = root, 0.0, 0
    quitter, end = -1, np.inf
    while True:
        leaving = floor - u[i]
        if leaving < end:
            quitter, end = i, leaving
        j = _scan(cost[i], v, distance, parent, floor - u[i], floor, i)
        if end <= distance[j]:
            j = partner[quitter]
            partner[quitter] = -1
            break
        floor = distance[j]
        if owner[j] < 0:
            end = floor
            break
        i = owner[j]
        scanned[count], hidden[count], entered[count] = j, v[j], floor
        # Minus infinity keeps the column out of every later scan without a branch.
        v[j], distance[j] = -np.inf, np.inf
        count += 1
    u[root] += end
    for k in range(count):
        v[scanned[k]] = hidden[k] - (end - entered[k])
        u[owner[scanned[k]]] += end - entered[k]
    while j >= 0:
        i = parent[j]
        owner[j] = i
        partner[i], j = j, partner[i]


@njit(nogil=True, error_model="numpy")
def _scan(
    row: Floats, v: Floats, distance: Floats, parent: Indices, shift: float, floor: float, i: int
) -> int:
    """Shorten the distances through row ``i``; the nearest column."""
    for j in range(len(row)):
        through = (row[j] - v[j]) + shift
        through = through if through > floor else floor
        nearer = through < distance[j]
        distance[j] = through if nearer else distance[j]
        parent[j] = i if nearer else parent[j]
    # Doubles that are not negative sort as their bits do, and integers are compared by SIMD code.
    bits = distance.view(np.int64)
    least = bits[0]
    for j in range(len(bits)):
        least = min(least, bits[j])
    j = 0
    while bits[j] != least:
        j += 1
    return j


@njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _least(row: Floats) -> int:
    least = row[0]
    for j in range(len(row)):
        least = row[j] if row[j] < least else least
    j = 0
    while row[j] != least:
        j += 1
    return j
