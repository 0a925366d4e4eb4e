"""Edge lengths of a cloud, in ascending order and as ranks in a dense matrix.

Compiled; imported on first use. Only the order of lengths decides which simplex meets which, so all
that follows works on ranks of 2 bytes (4 in large clouds) and comes back to lengths at the end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats

Keys = npt.NDArray[np.int64]
Rank = np.uint16 | np.uint32
Ranks = npt.NDArray[Rank]

LINE = 64
"""Rows of ranks are a multiple of this long: whole cache lines, whole vectors."""
ROOM = 3
"""Rows at the end of a matrix of ranks that the collapse works in."""
DIGIT, VERTEX = 11, 16
DIGITS, VERTICES = (1 << DIGIT) - 1, (1 << VERTEX) - 1
LAST = (1 << 2 * DIGIT) - 1


@njit(nogil=True, error_model="numpy")
def enclosing_radius(lengths: Floats, n: int) -> float:
    """The least length within which one vertex has an edge to every other.

    From there on the complex is a cone, so nothing is born or dies: longer edges say nothing.
    """
    farthest = np.empty(n)
    for u in range(n):
        farthest[u] = 0.0
    first = 0
    for u in range(n - 1):
        row, others = lengths[first : first + n - 1 - u], farthest[u + 1 :]
        largest = farthest[u]
        for j in range(len(row)):
            largest = row[j] if row[j] > largest else largest
            others[j] = row[j] if row[j] > others[j] else others[j]
        farthest[u] = largest
        first += n - 1 - u
    least = farthest[0]
    for u in range(n):
        least = farthest[u] if farthest[u] < least else least
    return float(least)


@njit(nogil=True, error_model="numpy")
def ascending_edges(lengths: Floats, n: int, limit: float) -> Keys:
    """The edges of at most ``limit``, shortest first; each an integer: leading bits, u, v (u < v).

    A radix sort by the leading bits of the length, then each run that shares them by the length.
    """
    bits = lengths.view(np.int64)
    low, high, count = np.int64(2**62), np.int64(0), 0
    for j in range(len(lengths)):
        within = lengths[j] <= limit
        high = bits[j] if within and bits[j] > high else high
        low = bits[j] if 0 < bits[j] < low else low
        count += within
    shift = 0
    while high > low and (high - low) >> shift >= LAST - 1:
        shift += 1
    keys, other = np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
    first = 0
    for u in range(n - 1):
        row, out = bits[first : first + n - 1 - u], keys[first : first + n - 1 - u]
        for j in range(len(row)):
            # Zero has bits far below all others; what is beyond the limit goes to the end.
            lead = ((row[j] - low) >> shift) + 1 if row[j] else 0
            lead = lead if row[j] <= high else LAST
            out[j] = lead << 2 * VERTEX | u << VERTEX | u + 1 + j
        first += n - 1 - u
    small, large = np.empty(DIGITS + 1, np.int64), np.empty(DIGITS + 1, np.int64)
    for digit in range(DIGITS + 1):
        small[digit], large[digit] = 0, 0
    for key in keys:
        small[key >> 2 * VERTEX & DIGITS] += 1
        large[key >> 2 * VERTEX + DIGIT] += 1
    _scatter(keys, other, small, 2 * VERTEX)
    _scatter(other, keys, large, 2 * VERTEX + DIGIT)
    keys = keys[:count]
    _order_runs(keys, lengths, n)
    return keys


@njit(nogil=True, error_model="numpy")
def _scatter(keys: Keys, out: Keys, ends: Keys, shift: int) -> None:
    """One pass of a radix sort; ``ends`` (digit,) holds how often each digit occurs."""
    place = 0
    for digit in range(len(ends)):
        ends[digit], place = place, place + ends[digit]
    for i in range(len(keys)):
        digit = (keys[i] >> shift) & DIGITS
        out[ends[digit]] = keys[i]
        ends[digit] += 1


@njit(nogil=True, error_model="numpy", inline="always")
def _order_runs(keys: Keys, lengths: Floats, n: int) -> None:
    """Sort by length what shares its leading bits: gaps of a third, since a run can be long."""
    start = 0
    for end in range(1, len(keys) + 1):
        if end < len(keys) and keys[end] >> 2 * VERTEX == keys[start] >> 2 * VERTEX:
            continue
        gap = 1
        while 3 * gap < end - start:
            gap = 3 * gap + 1
        while gap and end - start > 1:
            for i in range(start + gap, end):
                key, j = keys[i], i
                length = _length(key, lengths, n)
                while j >= start + gap and _length(keys[j - gap], lengths, n) > length:
                    keys[j] = keys[j - gap]
                    j -= gap
                keys[j] = key
            gap //= 3
        start = end


@njit(nogil=True, error_model="numpy")
def _length(key: int, lengths: Floats, n: int) -> float:
    """The length of the edge that ends ``key``."""
    u, v = key >> VERTEX & VERTICES, key & VERTICES
    return float(lengths[u * n - u * (u + 1) // 2 + v - u - 1])


@njit(nogil=True, error_model="numpy")
def rank_edges(keys: Keys, lengths: Floats, n: int, matrix: Ranks, never: Rank) -> Floats:
    """Write the ranks of the edges' lengths into ``matrix`` (n + ROOM, LINE multiple).

    Returns the length (rank,) of each rank; equal lengths share one. ``never``, the largest number
    of the matrix' type, means no edge; a vertex has rank 0 to itself.
    """
    for u in range(n):
        for v in range(matrix.shape[1]):
            matrix[u, v] = never
        matrix[u, u] = 0
    values = np.empty(len(keys))
    rank, last = -1, -1.0
    for i in range(len(keys)):
        u, v = keys[i] >> VERTEX & VERTICES, keys[i] & VERTICES
        length = _length(keys[i], lengths, n)
        if length > last:
            rank, last = rank + 1, length
            values[rank] = length
        matrix[u, v] = rank
        matrix[v, u] = rank
    return values[: rank + 1]
