"""The bottleneck of two persistence diagrams, compiled: on a line, in the plane, and of a tile.

Imported on first use, as :mod:`cohortflow.topology.distances.line_matching`. Costs are compared and
never added, so the answers carry no rounding of their own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.distances.prepared import Bars, Indices

Flags = npt.NDArray[np.bool_]


@njit(nogil=True, error_model="numpy")
def line_bottleneck(a: Bars, b: Bars) -> tuple[float, int]:
    """The bottleneck of diagrams of one birth, and how many pairs attain it: the longest of each.

    Kept bars pair in their order, as on any line. Where a bar is kept and a longer one of its
    diagram is not, the longer one may take its place: either that costs nothing, or the partner is
    less than half as long as it and both bars may go to the diagonal. So some k longest bars of
    each are kept. Costs of pairs grow with k, those of the diagonal shrink.
    """
    m, n = len(a.births), len(b.births)
    paired, best, count = 0.0, np.inf, 0
    for k in range(min(m, n) + 1):
        alone = 0.0
        if k < m:
            alone = a.diagonal[m - 1 - k]
        if k < n:
            alone = max(alone, b.diagonal[n - 1 - k])
        if max(paired, alone) < best:
            best, count = max(paired, alone), k
        if paired >= best or k == min(m, n):
            break
        paired = max(paired, abs(a.deaths[m - 1 - k] - b.deaths[n - 1 - k]))
    return best, count


@njit(nogil=True, error_model="numpy")
def plane_bottleneck(
    a: Bars,
    b: Bars,
    mate_a: Indices,
    mate_b: Indices,
    reach: Floats,
    room: Indices,
    done: Flags,
) -> float:
    """The bottleneck of any two diagrams; mates (bar or more,) are written, -1 for the diagonal.

    A level is raised only as far as it must be. Bars of a with a costlier diagonal are let in one
    by one, then those of b into the same matching; a bar let in is never put out, as the last bar
    of a search gives way only where its diagonal is within the level. ``reach``, ``done`` (longer
    diagram or more,) and ``room`` (2, one more) are room.
    """
    for i in range(len(a.births)):
        mate_a[i] = -1
    for j in range(len(b.births)):
        mate_b[j] = -1
    level = _nearest(b, a, _nearest(a, b, 0.0))
    level = _let_in(a, b, mate_a, mate_b, level, reach, room, done)
    return _let_in(b, a, mate_b, mate_a, level, reach, room, done)


@njit(nogil=True, error_model="numpy")
def _nearest(x: Bars, y: Bars, level: float) -> float:
    """No bar of x is matched for less than the nearer of the diagonal and its nearest bar of y.

    Bars are in the order of births: the search steps outward from where the last one ended.
    """
    size, start = len(y.births), 0
    for i in range(len(x.births)):
        birth, death, least = x.births[i], x.deaths[i], x.diagonal[i]
        while start < size and y.births[start] < birth:
            start += 1
        j = start
        while j < size and least > level and y.births[j] - birth < least:
            least = min(least, max(y.births[j] - birth, abs(y.deaths[j] - death)))
            j += 1
        j = start - 1
        while j >= 0 and least > level and birth - y.births[j] < least:
            least = min(least, max(birth - y.births[j], abs(y.deaths[j] - death)))
            j -= 1
        level = max(level, least)
    return level


@njit(nogil=True, error_model="numpy")
def _let_in(
    x: Bars, y: Bars, mate_x: Indices, mate_y: Indices, level: float,
    reach: Floats, room: Indices, done: Flags,
) -> float:  # fmt: skip
    for i in range(len(x.births)):
        if mate_x[i] >= 0 or x.diagonal[i] <= level:
            continue
        if not _within(i, x, y, mate_x, mate_y, level, room, done):
            level = _beyond(i, x, y, mate_x, mate_y, level, reach, room, done)
    return level


@njit(nogil=True, error_model="numpy")
def _within(
    root: int, x: Bars, y: Bars, mate_x: Indices, mate_y: Indices, level: float,
    room: Indices, done: Flags,
) -> bool:  # fmt: skip
    """Find the bar of x a place by an alternating path of costs up to ``level``: to a bar of y
    without a mate, or to a bar of x whose diagonal costs no more."""
    for j in range(len(y.births)):
        done[j] = False
    room[1, 0], first, last = root, 0, 1
    while first < last:
        i, first = room[1, first], first + 1
        birth, death = x.births[i], x.deaths[i]
        for j in range(_from(y.births, birth, level), len(y.births)):
            if y.births[j] - birth > level:
                break
            if done[j] or abs(y.deaths[j] - death) > level:
                continue
            done[j], room[0, j] = True, i
            mate = mate_y[j]
            if mate < 0 or x.diagonal[mate] <= level:
                if mate >= 0:
                    mate_x[mate] = -1
                _turn(j, mate_x, mate_y, room)
                return True
            room[1, last], last = mate, last + 1
    return False


@njit(nogil=True, error_model="numpy")
def _from(births: Floats, birth: float, level: float) -> int:
    """The first of the ascending births that is not more than ``level`` before ``birth``."""
    low, high = 0, len(births)
    while low < high:
        middle = (low + high) // 2
        if birth - births[middle] > level:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, error_model="numpy")
def _beyond(
    root: int, x: Bars, y: Bars, mate_x: Indices, mate_y: Indices, level: float,
    reach: Floats, room: Indices, done: Flags,
) -> float:  # fmt: skip
    """The same by a path of least largest cost, as Dijkstra's; the level that it needs."""
    size = len(y.births)
    for j in range(size):
        reach[j], done[j] = np.inf, False
    i = quitter = root
    while True:
        if x.diagonal[i] < x.diagonal[quitter]:
            quitter = i
        birth, death = x.births[i], x.deaths[i]
        end, least = -1, np.inf
        for j in range(size):
            if not done[j]:
                apart = max(abs(y.births[j] - birth), abs(y.deaths[j] - death))
                if apart < reach[j]:
                    reach[j], room[0, j] = apart, i
                if reach[j] < least:
                    end, least = j, reach[j]
        if x.diagonal[quitter] <= max(level, least):
            level = max(level, x.diagonal[quitter])
            end, mate_x[quitter] = mate_x[quitter], -1
            break
        level = max(level, least)
        if mate_y[end] < 0:
            break
        done[end] = True
        i = mate_y[end]
    if end >= 0:
        _turn(end, mate_x, mate_y, room)
    return level


@njit(nogil=True, error_model="numpy")
def _turn(end: int, mate_x: Indices, mate_y: Indices, room: Indices) -> None:
    """Exchange the pairs along the path that ends at a bar of y; its root has had no mate."""
    while end >= 0:
        i = room[0, end]
        mate_y[end] = i
        mate_x[i], end = end, mate_x[i]


@njit(nogil=True, error_model="numpy")
def bottleneck_tile(
    a: Bars, starts_a: Indices, birth_a: Floats, b: Bars, starts_b: Indices, birth_b: Floats,
    same: bool, out: Floats,
) -> None:  # fmt: skip
    """Bottlenecks (row, column) of packed diagrams; where ``same``, symmetric."""
    size = 0
    for starts in (starts_a, starts_b):
        for k in range(len(starts) - 1):
            size = max(size, starts[k + 1] - starts[k])
    mate_a, mate_b = np.empty((2, size), np.int64)
    room = np.empty((2, size + 1), np.int64)
    reach, done = np.empty(size), np.empty(size, np.bool_)
    for i in range(out.shape[0]):
        x = _one(a, starts_a, i)
        for j in range(i if same else 0, out.shape[1]):
            y = _one(b, starts_b, j)
            if same and i == j:
                out[i, j] = 0.0
            elif birth_a[i] == birth_b[j]:
                out[i, j] = line_bottleneck(x, y)[0]
            else:
                out[i, j] = plane_bottleneck(x, y, mate_a, mate_b, reach, room, done)
            if same:
                out[j, i] = out[i, j]


@njit(nogil=True, error_model="numpy")
def _one(bars: Bars, starts: Indices, k: int) -> Bars:
    p, q = starts[k], starts[k + 1]
    return Bars(bars.births[p:q], bars.deaths[p:q], bars.diagonal[p:q])
