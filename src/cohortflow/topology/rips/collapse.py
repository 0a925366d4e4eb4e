"""Edge collapse of a flag filtration: far fewer edges, the same persistent homology.

Compiled; imported on first use. Source: Glisse and Pritam 2022, *Swap, shift and trim to edge
collapse a filtration*. At each time an edge {u, v} is dominated by a common neighbour c if every
other common neighbour is a neighbour of c; then the edge may as well come later, and where it stays
dominated to the end it may as well never come.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cohortflow.topology.rips.lengths import ROOM, VERTEX, VERTICES, Keys, Rank, Ranks

Row = np.uint64


@njit(nogil=True, error_model="numpy")
def collapse(keys: Keys, matrix: Ranks, never: Rank) -> int:
    """Take edges, longest first, out of ``matrix`` or move them to a later rank; how many stay.

    ``keys`` and ``matrix`` as in :mod:`cohortflow.topology.rips.lengths`; both are written. What
    stays is left at the end of ``keys``: rank, u, v in one integer each, in no order.
    """
    stride = np.uint64(matrix.shape[1])
    # One array for everything: a call then hands on numbers only, and no count of references.
    ranks = matrix.reshape(matrix.size)
    near = np.uint64(len(matrix) - ROOM) * stride
    for index in range(stride):
        ranks[near + stride + index] = index
    guesses = np.empty(GUESSES * len(matrix), np.int64)
    for index in range(len(guesses)):
        guesses[index] = 0
    place = len(keys)
    for i in range(len(keys) - 1, -1, -1):
        edge = keys[i] & EDGE
        u, v = np.uint64(edge >> VERTEX), np.uint64(edge & VERTICES)
        now = ranks[u * stride + v]
        best = _guess(ranks, guesses, u, v, stride, now)
        found = best != u and _dominates(ranks, best, u, v, stride, now)
        for vertex in (edge >> VERTEX, edge & VERTICES):
            if not found:
                # Around a loop the last one is the better guess, though it may be far away.
                best = np.uint64(guesses[GUESSES * vertex])
                found = best != u and best != v and _dominates(ranks, best, u, v, stride, now)
        later = never
        if not found:
            later, best = _delayed(ranks, u, v, near, stride, now, never)
        if later == never:
            _remember(guesses, GUESSES * (edge >> VERTEX), int(best))
            _remember(guesses, GUESSES * (edge & VERTICES), int(best))
        else:
            place -= 1
            keys[place] = np.int64(later) << 2 * VERTEX | edge
        if later != now:
            ranks[u * stride + v] = later
            ranks[v * stride + u] = later
    return len(keys) - place


EDGE = (1 << 2 * VERTEX) - 1
GUESSES = 3


@njit(nogil=True, error_model="numpy", inline="always")
def _guess(ranks: Ranks, guesses: Keys, u: Row, v: Row, stride: Row, now: Rank) -> Row:
    """Of the last few who dominated other edges of u or of v the one that is nearest to both.

    In most cases it dominates this edge too. u if none is a common neighbour now.
    """
    best, nearest = u, now
    from_u, from_v = u * stride, v * stride
    for vertex in (u, v):
        for k in range(GUESSES):
            c = np.uint64(guesses[np.uint64(GUESSES) * vertex + np.uint64(k)])
            joined = (
                ranks[from_u + c] if ranks[from_u + c] > ranks[from_v + c] else ranks[from_v + c]
            )
            better = (joined <= nearest) & (c != u) & (c != v)
            nearest = joined if better else nearest
            best = c if better else best
    return best


@njit(nogil=True, error_model="numpy")
def _remember(guesses: Keys, first: int, best: int) -> None:
    """Put ``best`` in front of the GUESSES from ``first`` on."""
    a, b, c = guesses[first], guesses[first + 1], guesses[first + 2]
    guesses[first] = best
    guesses[first + 1] = b if best == a else a
    guesses[first + 2] = c if (best == a) | (best == b) else b


@njit(nogil=True, error_model="numpy")
def _dominates(ranks: Ranks, c: Row, u: Row, v: Row, stride: Row, now: Rank) -> bool:
    """Whether ``c`` dominates {u, v} from ``now`` to the end: no w is a common neighbour of u and v
    before it is one of c. With w = u and w = v this says that c is a common neighbour now."""
    u, v, c = u * stride, v * stride, c * stride
    missed = False
    for w in range(stride):
        joined = ranks[u + w] if ranks[u + w] > ranks[v + w] else ranks[v + w]
        joined = joined if joined > now else now
        missed |= ranks[c + w] > joined
    return not missed


@njit(nogil=True, error_model="numpy")
def _delayed(
    ranks: Ranks, u: Row, v: Row, near: Row, stride: Row, now: Rank, never: Rank
) -> tuple[Rank, Row]:
    """The rank at which nobody dominates {u, v} any more, or ``never`` and who does to the end.

    Row ``near`` gets the rank from which each vertex is a common neighbour, and a copy two rows on
    keeps the candidates that are left.
    """
    index, left = near + stride, near + stride + stride
    least = _join(ranks, u, v, near, stride, never)
    alive = near
    while least <= now:
        c = _first(ranks, alive, least, index, stride, never)
        stop = _stop(ranks, c, near, stride, now, never)
        if stop == never:
            return never, c
        if stop > now:
            now, alive = stop, near
            least = _least(ranks, near, stride, never)
        else:
            # Whoever dominates is a neighbour of the vertex that c misses.
            missed = _missed(ranks, c, near, index, stride, now, never)
            least = _strike(ranks, missed, alive, left, stride, now, never)
            alive = left
    return now, u


@njit(nogil=True, error_model="numpy", inline="always")
def _join(ranks: Ranks, u: Row, v: Row, near: Row, stride: Row, never: Rank) -> Rank:
    """Write from which rank each w is a common neighbour of u and v; the least."""
    least, index = never, near + stride
    mine, yours = ranks[index + u], ranks[index + v]
    u, v = u * stride, v * stride
    for w in range(stride):
        joined = ranks[u + w] if ranks[u + w] > ranks[v + w] else ranks[v + w]
        name = ranks[index + w]
        joined = never if (name == mine) | (name == yours) else joined
        ranks[near + w] = joined
        least = joined if joined < least else least
    return least


@njit(nogil=True, error_model="numpy", inline="always")
def _least(ranks: Ranks, row: Row, stride: Row, least: Rank) -> Rank:
    for w in range(stride):
        least = ranks[row + w] if ranks[row + w] < least else least
    return least


@njit(nogil=True, error_model="numpy", inline="always")
def _first(ranks: Ranks, row: Row, wanted: Rank, index: Row, stride: Row, never: Rank) -> Row:
    """Where ``wanted`` first stands in the row."""
    found = never
    for w in range(stride):
        name = ranks[index + w] if ranks[row + w] == wanted else never
        found = name if name < found else found
    return np.uint64(found)


@njit(nogil=True, error_model="numpy", inline="always")
def _stop(ranks: Ranks, c: Row, near: Row, stride: Row, now: Rank, never: Rank) -> Rank:
    """The first rank from ``now`` on at which c misses a common neighbour; ``never`` if at none."""
    stop = never
    c = c * stride
    for w in range(stride):
        joined = ranks[near + w] if ranks[near + w] > now else now
        missed = joined if ranks[c + w] > joined else never
        stop = missed if missed < stop else stop
    return stop


@njit(nogil=True, error_model="numpy", inline="always")
def _missed(
    ranks: Ranks, c: Row, near: Row, index: Row, stride: Row, now: Rank, never: Rank
) -> Row:
    """A common neighbour at ``now`` that is no neighbour of c."""
    found = never
    c = c * stride
    for w in range(stride):
        name = ranks[index + w] if (ranks[near + w] <= now) & (ranks[c + w] > now) else never
        found = name if name < found else found
    return np.uint64(found)


@njit(nogil=True, error_model="numpy", inline="always")
def _strike(
    ranks: Ranks, missed: Row, alive: Row, left: Row, stride: Row, now: Rank, never: Rank
) -> Rank:
    """Keep the candidates that are neighbours of ``missed`` at ``now``; the least of them."""
    least = never
    missed = missed * stride
    for w in range(stride):
        kept = never if ranks[missed + w] > now else ranks[alive + w]
        ranks[left + w] = kept
        least = kept if kept < least else least
    return least
