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
Sweep = tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64, np.uint64, float]
"""Places of the next bar of a, of b, of the tops of a's two stacks and of b's, and the cost."""

ZERO, ONE = np.uint64(0), np.uint64(1)
STACKS = np.uint64(4)
ROW, COLUMN, FIRST, SECOND, BARS = range(5)
FIELDS = 5
SURE = 1e-3
"""Least share of (number of bars × longest bar) of a cost whose first 12 digits are beyond doubt."""


@njit(nogil=True, error_model="numpy", forceinline=True)
def _begin(pairs: Indices, k: int, stacks: np.uint64, depth: np.uint64) -> Sweep:
    """Before the first bar. ``stacks``: place in ``keys`` of the first of four stacks, ``depth``
    apart, each of them with -inf at its bottom."""
    a_top = stacks + depth
    b_new = a_top + depth
    first, second = np.uint64(pairs[k, FIRST]), np.uint64(pairs[k, SECOND])
    return first, second, stacks, a_top, b_new, b_new + depth, 0.0


@njit(nogil=True, error_model="numpy", forceinline=True)
def _step(sweep: Sweep, lengths: Floats, costs: Floats, keys: Floats) -> Sweep:
    """Past the next bar of either; the cost ends as that of an optimal matching.

    ``lengths`` and ``costs`` of the diagonal, sorted, with an infinite length after each diagram.
    The slopes on the right are kept with their sign turned, so a and b do the same: the bar at x
    brings the key x - cost. If a key of its own side is greater, the cost at k = 0 falls by that slope,
    key - x, which crosses; else it rises by ``cost``.

    Which bar is next and where it goes is as good as random: a processor that guesses wrong loses
    more than this takes. Hence masks, and a store to a free place where nothing is to be kept.
    """
    bar_a, bar_b, a_new, a_top, b_new, b_top, total = sweep
    is_b = np.uint64(lengths[bar_b] < lengths[bar_a])
    is_a = ONE - is_b
    only_b, only_a = ZERO - is_b, ZERO - is_a
    bar = (bar_a & only_a) | (bar_b & only_b)
    new = (a_new & only_a) | (b_new & only_b)
    top = (a_top & only_a) | (b_top & only_b)
    others_top = (b_top & only_a) | (a_top & only_b)
    x, cost = lengths[bar], costs[bar]
    newest, highest = keys[new], keys[top]
    key = newest if newest > highest else highest
    crosses = key > x - cost
    replaced = np.uint64(crosses) & np.uint64(newest > highest)
    moved = np.uint64(crosses) ^ replaced  # the top is taken and ``new`` grows
    keys[new + ONE - replaced] = x - cost
    keys[others_top + ONE] = 2.0 * x - key if crosses else cost + x
    return (
        bar_a + is_a, bar_b + is_b,
        a_new + (moved & only_a), a_top + is_b - (moved & only_a),
        b_new + (moved & only_b), b_top + is_a - (moved & only_b),
        total + (x - key if crosses else cost),
    )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def sweep_pairs(
    pairs: Indices, count: int, lengths: Floats, costs: Floats, keys: Floats, out: Floats
) -> None:
    """Write the costs of order 1 of the first ``count`` pairs to ``out`` (row, column), NaN where
    rounding could show.

    ``pairs`` (pair, FIELDS): row, column, where in ``lengths`` and ``costs`` the two diagrams begin,
    and how many bars both have, one or more each. ``keys``, 8 times the most bars and two, is room.

    Two pairs at a time: the steps of one fill the time in which those of the other wait for memory.
    """
    depth = np.uint64(len(keys) // 8)
    for k in range(len(keys)):
        keys[k] = -np.inf
    for k in range(0, count, 2):
        short, long = k, min(k + 1, count - 1)  # the last of an odd number goes beside itself
        if pairs[short, BARS] > pairs[long, BARS]:
            short, long = long, short
        x = _begin(pairs, short, ZERO, depth)
        y = _begin(pairs, long, STACKS * depth, depth)
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
    bar_a, bar_b, _, _, _, _, total = sweep
    longest = max(costs[bar_a - ONE], costs[bar_b - ONE])
    return total if total > SURE * bars * longest else np.nan
