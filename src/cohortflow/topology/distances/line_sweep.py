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
    deaths_a: Floats,
    deaths_b: Floats,
    diagonal_a: Floats,
    diagonal_b: Floats,
    keys: Floats,
    labels: Labels,
    kept: Flags,
) -> None:
    """Which bars an optimal matching of order 1 keeps off the diagonal; O(m + n), deaths sorted.

    ``kept`` (m + n,), a before b, is written; ``keys`` and ``labels`` (2, m + n + 1) are room.

    Kept sets of equal size match in order of length, at the integral over x of the number of kept
    lengths of a below x less that of b. So sweep x upwards with f(k), the least cost so far when
    that difference is k. A gap of width w adds w |k|. A bar of a at x adds a choice: its diagonal
    cost c, or k + 1 for nothing; one of b: c, or k - 1. Both are (min, +) convolutions with a
    convex function of two values, so f stays convex and is known by its slopes, one per bar met:
    those between k = -1, -2, … (left) and those between k = 0, 1, … (right). A bar of a brings the
    slope -c, one of b the slope c. The greater of a's slope and the greatest left one ends on the
    right, the other on the left (mirrored for b). The side says all about k = 0, where the sweep
    ends: a bar of a is kept if its slope is left, a bar of b if its slope is right.

    Gaps move all left slopes down and all right slopes up, so (slope + x) and (slope - x) are kept
    instead, which stay. What crosses is an extreme of its side, and a slope of a that goes right at
    once lies below all slopes there, for these began at no less than -c of an earlier x, or are
    positive, and have risen since: both go on top of a stack. A slope of a that stays left has the
    key x - c, which grows with x, as c is a fixed share of it: no later bar of a finds it above its
    own, so it stays for ever and need not be remembered. Hence each side is one stack, and a bar
    costs O(1).
    """
    m, n = len(deaths_a), len(deaths_b)
    left, right = keys[0], keys[1]
    of_left, of_right = labels[0], labels[1]
    left[0], right[0] = -np.inf, np.inf
    # The number of slopes on each stack is where its top is: what stands at 0 is never reached.
    lefts = rights = np.uint64(0)
    i = j = 0
    while i < m or j < n:
        if j == n or (i < m and deaths_a[i] <= deaths_b[j]):
            x, cost, label = deaths_a[i] - birth, diagonal_a[i], i
            i += 1
            rights += ONE
            stays = left[lefts] > x - cost
            kept[label] = stays
            if stays:
                right[rights], of_right[rights] = left[lefts] - 2.0 * x, of_left[lefts]
                kept[of_left[lefts]] ^= np.uint8(1)
                lefts -= ONE
            else:
                right[rights], of_right[rights] = -cost - x, label
        else:
            x, cost, label = deaths_b[j] - birth, diagonal_b[j], m + j
            j += 1
            lefts += ONE
            stays = right[rights] < cost - x
            kept[label] = stays
            if stays:
                left[lefts], of_left[lefts] = right[rights] + 2.0 * x, of_right[rights]
                kept[of_right[rights]] ^= np.uint8(1)
                rights -= ONE
            else:
                left[lefts], of_left[lefts] = cost + x, label


@njit(nogil=True, error_model="numpy")
def kept_cost(
    deaths_a: Floats,
    deaths_b: Floats,
    diagonal_a: Floats,
    diagonal_b: Floats,
    kept: Flags,
    room: Floats,
) -> float:
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
