"""Persistent cohomology over Z/2 of a small complex: one degree at a time, with clearing.

Compiled; imported on first use. Source: de Silva, Morozov and Vejdemo-Johansson 2011; clearing of
Chen and Kerber 2011; Bauer 2021.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.graph import Ints, doubled
from cohortflow.topology.rips.lengths import VERTEX, VERTICES, Keys

NOBODY, CLEARED = -1, -2
Words = npt.NDArray[np.int64]


@njit(nogil=True, error_model="numpy")
def spanning_edges(keys: Keys, n: int) -> tuple[Ints, Ints]:
    """Kruskal over sorted ``keys``: the edge that ends each of n parts (n,), NOBODY for those that
    stay, and CLEARED (edge,) for these edges, else NOBODY."""
    deaths, parent, state = (
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(len(keys), np.int32),
    )
    for u in range(n):
        parent[u], deaths[u] = u, NOBODY
    count = 0
    for e in range(len(keys)):
        state[e] = NOBODY
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        while parent[u] != u:
            parent[u] = parent[parent[u]]
            u = parent[u]
        while parent[v] != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        if u != v:
            parent[u], state[e], deaths[count] = v, CLEARED, e
            count += 1
    return deaths, state


@njit(nogil=True, error_model="numpy")
def cofaces(faces: Ints, per_simplex: int, columns: int) -> tuple[Ints, Ints]:
    """Turn the faces of each simplex round: where each face begins (columns + 1,), its
    simplices."""
    starts, out = np.empty(columns + 2, np.int32), np.empty(len(faces), np.int32)
    for c in range(columns + 2):
        starts[c] = 0
    for k in range(len(faces)):
        starts[faces[k] + 2] += 1
    for c in range(columns):
        starts[c + 2] += starts[c + 1]
    k = 0
    for simplex in range(len(faces) // per_simplex):
        for _ in range(per_simplex):
            out[starts[faces[k] + 1]] = simplex
            starts[faces[k] + 1] += 1
            k += 1
    return starts, out


@njit(nogil=True, error_model="numpy")
def reduce_columns(
    starts: Ints, rows: Ints, count: int, partner: Ints, most: int
) -> tuple[Ints, bool]:
    """Pair faces (columns) with the simplices (rows) that end them.

    ``starts`` and ``rows`` as :func:`cofaces` makes them, ``count`` rows in all. ``partner``
    (column,) is CLEARED or NOBODY and gets the row, or stays NOBODY for what never ends. Returns
    CLEARED (row,) for rows that end something, else NOBODY, and False if the columns outgrew
    ``most`` numbers.

    Columns go from the last to the first; a column's pivot is its first row. Columns are lists in
    ``arena``, those as given first, then those that were changed; the one at work is a row of bits.
    """
    owner, begins, ends = (
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.int32),
    )
    for row in range(count):
        owner[row] = NOBODY
    bits = np.empty((count >> 6) + 1, np.int64)
    for word in range(len(bits)):
        bits[word] = 0
    used = len(rows)
    arena = np.empty(used + 1024, np.int32)
    for k in range(used):
        arena[k] = rows[k]
    for c in range(len(partner) - 1, -1, -1):
        first, end, last = starts[c], starts[c + 1], NOBODY
        if partner[c] == CLEARED or first == end:
            continue
        pivot = int(arena[first])
        if owner[pivot] != NOBODY:
            while True:
                last = max(last, arena[end - 1])
                for k in range(first, end):
                    bits[arena[k] >> 6] ^= 1 << (arena[k] & 63)
                pivot = _next(bits, pivot, last)
                if pivot < 0 or owner[pivot] == NOBODY:
                    break
                first, end = begins[pivot], ends[pivot]
            first, row = used, pivot
            while row >= 0:
                if used == len(arena):
                    if used >= most:
                        return owner, False
                    arena = doubled(arena)
                arena[used] = row
                used += 1
                bits[row >> 6] ^= 1 << (row & 63)
                row = _next(bits, row, last)
            end = used
        if pivot >= 0:
            owner[pivot], partner[c], begins[pivot], ends[pivot] = CLEARED, pivot, first, end
    return owner, True


@njit(nogil=True, error_model="numpy")
def _next(bits: Words, first: int, last: int) -> int:
    """The first row at work from ``first`` to ``last``, or NOBODY."""
    word = first >> 6
    left = bits[word] & (-1 << (first & 63))
    while not left:
        word += 1
        if word > last >> 6:
            return NOBODY
        left = bits[word]
    row = word << 6
    while not left & 1:
        left >>= 1
        row += 1
    return row


@njit(nogil=True, error_model="numpy")
def write_bars(births: Floats, partner: Ints, deaths: Floats) -> Floats:
    """Birth and death (bar * 2,) of bars of more than zero length, by birth, then death.

    ``births`` (column,) ascend; ``partner`` (column,) says which of ``deaths`` (row,) is whose.
    """
    bars, end = np.empty(2 * len(partner)), 0
    for k in range(len(partner)):
        if partner[k] < NOBODY:
            continue
        death = deaths[partner[k]] if partner[k] >= 0 else np.inf
        if death > births[k]:
            # Only bars of the same birth can be out of order.
            j = end
            while j and bars[j - 2] == births[k] and bars[j - 1] > death:
                bars[j], bars[j + 1] = births[k], bars[j - 1]
                j -= 2
            bars[j], bars[j + 1] = births[k], death
            end += 2
    return bars[:end]
