"""The sweep over two diagrams on a line that follows the cost alone, compiled, without a branch.

:func:`~cohortflow.topology.distances.line_sweep.keep_on_line` also tells which bars are kept, which
takes twice as long, and says why the sweep is right; the stacks here are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats

Indices = npt.NDArray[np.int64]
Sweep = tuple[np.uint64, np.uint64, np.uint64, np.uint64, float]
"""Places of the next bar of a, of b, of the tops of their stacks, left and right, and the cost."""

ZERO, ONE = np.uint64(0), np.uint64(1)
ROW, COLUMN, FIRST, SECOND, BARS = range(5)
FIELDS = 5
SURE = 1e-3
"""Least share of (number of bars × longest bar) of a cost whose first 12 digits are beyond
doubt."""


@njit(nogil=True, error_model="numpy", forceinline=True)
def _begin(pairs: Indices, k: int, stacks: np.uint64, depth: np.uint64) -> Sweep:
    """Before the first bar. ``stacks``: place in ``keys`` of the first of two stacks, ``depth``
    apart, both with -inf at the bottom."""
    return np.uint64(pairs[k, FIRST]), np.uint64(pairs[k, SECOND]), stacks, stacks + depth, 0.0


@njit(nogil=True, error_model="numpy", forceinline=True)
def _step(sweep: Sweep, lengths: Floats, costs: Floats, keys: Floats) -> Sweep:
    """Past the next bar of either; the cost ends as that of an optimal matching.

    ``lengths`` and ``costs`` of the diagonal, sorted, with an infinite length after each diagram.
    Keys on the right have their sign turned, so that a and b do the same: a bar at x whose own
    stack has a key above x - cost takes it over to the other stack, and the cost at k = 0 falls by
    that slope, key - x; else its own slope goes there, and the cost rises by ``cost``.

    Which bar is next and where it goes is as good as random, and a processor that guesses wrong
    loses more than this takes: hence masks instead of branches.
    """
    bar_a, bar_b, top_a, top_b, total = sweep
    is_b = np.uint64(lengths[bar_b] < lengths[bar_a])
    is_a = ONE - is_b
    only_b, only_a = ZERO - is_b, ZERO - is_a
    bar = (bar_a & only_a) | (bar_b & only_b)
    own = (top_a & only_a) | (top_b & only_b)
    other = (top_b & only_a) | (top_a & only_b)
    x, cost, key = lengths[bar], costs[bar], keys[own]
    crosses = key > x - cost
    keys[other + ONE] = 2.0 * x - key if crosses else cost + x
    taken = np.uint64(crosses)
    return (
        bar_a + is_a,
        bar_b + is_b,
        top_a + is_b - (taken & is_a),
        top_b + is_a - (taken & is_b),
        total + (x - key if crosses else cost),
    )


@njit(nogil=True, error_model="numpy")
def sweep_pairs(
    pairs: Indices, count: int, lengths: Floats, costs: Floats, keys: Floats, out: Floats
) -> None:
    """Write the costs of order 1 of the first ``count`` pairs to ``out`` (row, column), NaN where
    rounding could show.

    ``pairs`` (pair, FIELDS): row, column, where in ``lengths`` and ``costs`` the two diagrams
    begin, and how many bars both have, one or more each. ``keys``, 4 times the most bars and one,
    is room.

    Two pairs at a time: the steps of one fill the time in which those of the other wait for memory.
    """
    depth = np.uint64(len(keys) // 4)
    for k in range(len(keys)):
        keys[k] = -np.inf
    for k in range(0, count, 2):
        short, long = k, min(k + 1, count - 1)  # the last of an odd number goes beside itself
        if pairs[short, BARS] > pairs[long, BARS]:
            short, long = long, short
        x = _begin(pairs, short, ZERO, depth)
        y = _begin(pairs, long, depth + depth, depth)
        for _ in range(pairs[short, BARS]):
            x = _step(x, lengths, costs, keys)
            y = _step(y, lengths, costs, keys)
        for _ in range(pairs[long, BARS] - pairs[short, BARS]):
            y = _step(y, lengths, costs, keys)
        out[pairs[short, ROW], pairs[short, COLUMN]] = _total(x, pairs[short, BARS], costs)
        out[pairs[long, ROW], pairs[long, COLUMN]] = _total(y, pairs[long, BARS], costs)


@njit(nogil=True, error_model="numpy", forceinline=True)
def _total(sweep: Sweep, bars: int, costs: Floats) -> float:
    """The cost after the last bars. Each bar rounds it at the size of the longest."""
    bar_a, bar_b, _, _, total = sweep
    longest = max(costs[bar_a - ONE], costs[bar_b - ONE])
    return total if total > SURE * bars * longest else np.nan
