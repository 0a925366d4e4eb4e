"""Diagrams in the plane of births and deaths: a partial assignment, compiled, of any order.

Imported on first use, as :mod:`cohortflow.topology.distances.line_matching`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.prepared import Bars

Indices = npt.NDArray[np.int64]
U, V, DISTANCE, HIDDEN, FLOOR, SHIFT = range(6)
OWNER, LATE, SETTLED, THROUGH = range(4)
FLOATS, INTS = 6, 4  # rows of room that ``assign`` asks for
DIGITS, EPSILON = 1e-10, 2.3e-16


@njit(nogil=True, error_model="numpy")
def plane_cost(
    a: Bars, b: Bars, order: float, l2: bool,
    partner: Indices, gains: Floats, floats: Floats, ints: Indices,
) -> float:  # fmt: skip
    """Least sum of cost^order of two diagrams, m ≤ n bars; NaN where rounding could show.

    A matched pair that costs more than both its bars cost at the diagonal is cut without loss. So
    the assignment of (m + n)² bars and diagonals shrinks to m × n gains, cost[i, j] - diagonal_a[i]
    - diagonal_b[j], with bars that may stay alone at 0. ``partner`` (m or more,) is written, -1 for
    the diagonal; ``gains`` (m * n or more,), ``floats`` and ``ints`` as in :func:`assign` are room.
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
    total, owner = 0.0, ints[OWNER]
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
    # The gains are rounded at the size of the diagonal costs, which a total of long bars that
    # hardly differ can be far below.
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
    (FLOATS, columns or more) and ``ints`` (INTS, same) are room; ``ints[OWNER]`` ends as the row
    that owns each column, -1 for none. Exact.

    Duals U (row) and V (column) with U[i] + V[j] ≤ cost[i, j], U ≤ 0, V ≤ 0, V = 0 on columns
    nobody has, and equality on matched pairs and on rows left alone prove that none is cheaper.
    Each row starts at its nearest column; rows that find it taken are let in one by one.
    """
    rows, columns = cost.shape
    bits = cost.view(np.uint64)
    for j in range(columns):
        floats[V, j], ints[OWNER, j] = 0.0, -1
    late = 0
    for i in range(rows):
        j = _lowest(bits, i)
        partner[i] = -1
        floats[U, i] = min(cost[i, j], 0.0)
        if cost[i, j] < 0.0:
            if ints[OWNER, j] < 0:
                ints[OWNER, j], partner[i] = i, j
            else:
                ints[LATE, late] = i
                late += 1
    _let_in(late, cost, partner, floats, ints)


@njit(nogil=True, error_model="numpy")
def _let_in(late: int, cost: Floats, partner: Indices, floats: Floats, ints: Indices) -> None:
    """For each late row, Dijkstra over reduced costs to the cheapest way out: a free column, or a
    row that it reached and that had better be alone.

    All rows in one call, no slice and no view inside: each would count references, which is atomic.
    """
    bits = floats.view(np.int64)
    for position in range(late):
        root = ints[LATE, position]
        for j in range(cost.shape[1]):
            floats[DISTANCE, j] = np.inf
        i, floor, count = root, 0.0, 0
        quitter, end = -1, np.inf
        while True:
            shift = floor - floats[U, i]
            ints[THROUGH, count], floats[SHIFT, count], floats[FLOOR, count] = i, shift, floor
            if shift < end:
                quitter, end = i, shift
            j = _scan(i, shift, floor, cost, floats, bits)
            if end <= floats[DISTANCE, j]:
                j = partner[quitter]
                partner[quitter] = -1
                break
            floor = floats[DISTANCE, j]
            i = ints[OWNER, j]
            if i < 0:
                end = floor
                break
            ints[SETTLED, count], floats[HIDDEN, count] = j, floats[V, j]
            # Minus infinity keeps the column out of every later scan without a branch.
            floats[V, j], floats[DISTANCE, j] = -np.inf, np.inf
            count += 1
        for k in range(count):
            floats[V, ints[SETTLED, k]] = floats[HIDDEN, k]
        while j >= 0:
            i = _parent(j, count, cost, floats, ints)
            ints[OWNER, j] = i
            partner[i], j = j, partner[i]
        floats[U, root] += end
        for k in range(count):
            left = end - floats[FLOOR, k + 1]
            floats[V, ints[SETTLED, k]] -= left
            floats[U, ints[THROUGH, k + 1]] += left


@njit(nogil=True, error_model="numpy", forceinline=True)
def _parent(j: int, count: int, cost: Floats, floats: Floats, ints: Indices) -> int:
    """The first of the rows scanned before column ``j`` was settled from which it is nearest.

    Asked for the few columns of a path, it is cheaper than to keep it for all in every scan.
    """
    parent, least, settled = -1, np.inf, False
    for k in range(count + 1):
        i = ints[THROUGH, k]
        distance = max((cost[i, j] - floats[V, j]) + floats[SHIFT, k], floats[FLOOR, k])
        if distance < least and not settled:
            parent, least = i, distance
        settled = settled or (k < count and ints[SETTLED, k] == j)
    return parent


@njit(nogil=True, error_model="numpy", forceinline=True)
def _scan(i: int, shift: float, floor: float, cost: Floats, floats: Floats, bits: Indices) -> int:
    """Shorten the distances through row ``i``; the nearest column."""
    columns = cost.shape[1]
    for j in range(columns):
        through = (cost[i, j] - floats[V, j]) + shift
        through = through if through > floor else floor
        before = floats[DISTANCE, j]
        floats[DISTANCE, j] = through if through < before else before
    # Doubles that are not negative sort as their bits do, and integers are compared by SIMD code.
    least = bits[DISTANCE, 0]
    for j in range(columns):
        least = min(least, bits[DISTANCE, j])
    return _place(bits, DISTANCE, columns, least)


@njit(nogil=True, error_model="numpy", forceinline=True)
def _lowest(bits: npt.NDArray[np.uint64], i: int) -> int:
    """Column of the most negative cost of row ``i``, if one is negative:
    its bits are the largest."""
    columns = bits.shape[1]
    most = bits[i, 0]
    for j in range(columns):
        most = max(most, bits[i, j])
    return _place(bits, i, columns, most)


@njit(nogil=True, error_model="numpy", forceinline=True)
def _place(bits: npt.NDArray[Any], row: int, columns: int, wanted: Any) -> int:
    """Where ``wanted`` first stands in a row: the least of all places,
    as SIMD code leaves no loop."""
    place = columns
    for j in range(columns):
        here = j if bits[row, j] == wanted else columns
        place = min(place, here)
    return int(place)
