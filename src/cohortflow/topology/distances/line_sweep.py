"""Diagrams whose bars share one birth, order 1: matching on a line by one sweep, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats

Labels = npt.NDArray[np.int32]
Flags = npt.NDArray[np.uint8]

ONE = np.uint64(1)


@njit(nogil=True, error_model="numpy")
def keep_on_line(
    birth: float,
    deaths_a: Floats, deaths_b: Floats, diagonal_a: Floats, diagonal_b: Floats,
    keys: Floats, labels: Labels, kept: Flags,
) -> None:  # fmt: skip
    """Which bars an optimal matching of order 1 keeps off the diagonal; O(m + n), deaths sorted.

    ``kept`` (m + n,), a before b, is written; ``keys`` and ``labels`` (4, m + n + 1) are room.

    Kept sets of equal size match in order of length, at the integral over x of the number of kept
    lengths of a below x less that of b. So sweep x upwards with f(k), the least cost so far when that
    difference is k. A gap of width w adds w |k|. A bar of a at x adds a choice: its diagonal cost c,
    or k + 1 for nothing; one of b: c, or k - 1. Both are (min, +) convolutions with a convex
    function of two values, so f stays convex and is known by its slopes, one per bar met: those
    between k = -1, -2, … (left) and those between k = 0, 1, … (right). A bar of a brings the slope -c,
    one of b the slope c. The greater of a's slope and the greatest left one ends on the right, the
    other on the left (mirrored for b). The side says all about k = 0, where the sweep ends: a bar of a
    is kept if its slope is left, a bar of b if its slope is right.

    Gaps move all left slopes down and all right slopes up, so (slope + x) and (slope - x) are kept
    instead, which stay. What crosses is an extreme of its side, and a slope of a that goes right at
    once lies below all slopes there, for these began at no less than -c of an earlier x, or are
    positive, and have risen since: both go on top of a stack. Only a slope of a that stays left can
    land in the middle; its key x - c grows with x, so these make a second sorted stack. Hence each
    side is two sorted stacks, and a bar costs O(1).
    """
    m, n = len(deaths_a), len(deaths_b)
    left_new, left_top, right_new, right_top = keys[0], keys[1], keys[2], keys[3]
    of_left_new, of_left_top = labels[0], labels[1]
    of_right_new, of_right_top = labels[2], labels[3]
    left_new[0] = left_top[0] = -np.inf
    right_new[0] = right_top[0] = np.inf
    # The number of slopes on each stack is where its top is: what stands at 0 is never reached.
    a_left = top_left = b_right = top_right = np.uint64(0)
    i = j = 0
    while i < m or j < n:
        if j == n or (i < m and deaths_a[i] <= deaths_b[j]):
            x, cost, label = deaths_a[i] - birth, diagonal_a[i], i
            i += 1
            from_new = left_new[a_left] > left_top[top_left]
            key = left_new[a_left] if from_new else left_top[top_left]
            top_right += ONE
            stays = key > x - cost
            kept[label] = stays
            if stays:
                if from_new:
                    crossing = of_left_new[a_left]
                    a_left -= ONE
                else:
                    crossing = of_left_top[top_left]
                    top_left -= ONE
                a_left += ONE
                left_new[a_left], of_left_new[a_left] = x - cost, label
                kept[crossing] ^= np.uint8(1)
                right_top[top_right], of_right_top[top_right] = key - 2.0 * x, crossing
            else:
                right_top[top_right], of_right_top[top_right] = -cost - x, label
        else:
            x, cost, label = deaths_b[j] - birth, diagonal_b[j], m + j
            j += 1
            from_new = right_new[b_right] < right_top[top_right]
            key = right_new[b_right] if from_new else right_top[top_right]
            top_left += ONE
            stays = key < cost - x
            kept[label] = stays
            if stays:
                if from_new:
                    crossing = of_right_new[b_right]
                    b_right -= ONE
                else:
                    crossing = of_right_top[top_right]
                    top_right -= ONE
                b_right += ONE
                right_new[b_right], of_right_new[b_right] = cost - x, label
                kept[crossing] ^= np.uint8(1)
                left_top[top_left], of_left_top[top_left] = key + 2.0 * x, crossing
            else:
                left_top[top_left], of_left_top[top_left] = cost + x, label


@njit(nogil=True, error_model="numpy")
def kept_cost(
    deaths_a: Floats, deaths_b: Floats, diagonal_a: Floats, diagonal_b: Floats,
    kept: Flags, room: Floats,
) -> float:  # fmt: skip
    """Sum of the costs of that matching; its own terms, none negative, so no digits are lost."""
    m, n = len(deaths_a), len(deaths_b)
    alone = 0.0
    size = np.uint64(0)
    for i in range(m):
        room[size] = deaths_a[i]
        size += np.uint64(kept[i])
        alone += 0.0 if kept[i] else diagonal_a[i]
    at = np.uint64(0)
    together = 0.0
    for j in range(n):
        together += abs(deaths_b[j] - room[at]) if kept[m + j] else 0.0
        at += np.uint64(kept[m + j])
        alone += 0.0 if kept[m + j] else diagonal_b[j]
    return together + alone
