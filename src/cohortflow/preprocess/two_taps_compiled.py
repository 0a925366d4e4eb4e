"""Linear interpolation along each axis, compiled; imported on first use, as numba loads slowly.

Each function fills the planes [first, last) of the target and holds no lock: threads share out the
planes. ``z``, ``y``, ``x`` are (lower, upper, weight) of each place along an axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True)
def _in_plane(plane: Array, y: tuple[Any, ...], x: tuple[Any, ...], row: Array, out: Array) -> None:
    """(y, x) at the places of y and x → ``out``; ``row``: room for one row of the source."""
    y_lower, y_upper, y_weight = y
    x_lower, x_upper, x_weight = x
    for j in range(out.shape[0]):
        below, above, weight = plane[y_lower[j]], plane[y_upper[j]], y_weight[j]
        for i in range(row.shape[0]):
            low = row.dtype.type(below[i])
            row[i] = low + weight * (row.dtype.type(above[i]) - low)
        for i in range(out.shape[1]):
            low = row[x_lower[i]]
            out[j, i] = low + x_weight[i] * (row[x_upper[i]] - low)


@njit(nogil=True)
def linear(
    source: Array,
    z: tuple[Any, ...],
    y: tuple[Any, ...],
    x: tuple[Any, ...],
    out: Array,
    first: int,
    last: int,
) -> None:
    """Planes of (z, y, x) float32 or float64: in-plane first, the last two planes are kept."""
    z_lower, z_upper, z_weight = z
    row = np.empty(source.shape[2], out.dtype)
    kept = np.empty((2, out.shape[1], out.shape[2]), out.dtype)
    holds = np.full(2, -1)
    for k in range(first, last):
        low, high = z_lower[k], z_upper[k]
        for plane in (low, high):
            place = plane % 2
            if holds[place] != plane:
                _in_plane(source[plane], y, x, row, kept[place])
                holds[place] = plane
        below, above, weight = kept[low % 2], kept[high % 2], z_weight[k]
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[k, j, i] = below[j, i] + weight * (above[j, i] - below[j, i])


@njit(nogil=True)
def _heaviest(around: Array, shares: Array, tie: float) -> int:
    """Which of eight labels has the largest sum of shares; of equal ones the lowest label."""
    chosen, best = 0, -1.0
    for corner in range(8):
        share = 0.0
        for other in range(8):
            if around[other] == around[corner]:
                share += shares[other]
        tied = abs(share - best) <= tie
        if tied:
            if around[corner] < around[chosen]:
                chosen = corner
        elif share > best:
            chosen, best = corner, share
    return chosen


@njit(nogil=True)
def labels(
    source: Array,
    z: tuple[Any, ...],
    y: tuple[Any, ...],
    x: tuple[Any, ...],
    out: Array,
    first: int,
    last: int,
    tie: float,
) -> None:
    """Planes of (z, y, x): of the eight labels around a place the one, or the heaviest."""
    z_lower, z_upper, z_weight = z
    y_lower, y_upper, y_weight = y
    x_lower, x_upper, x_weight = x
    around = np.empty(8, source.dtype)
    shares = np.empty(8)
    mixed = np.empty(source.shape[2], np.uint8)
    for k in range(first, last):
        for j in range(out.shape[1]):
            a = source[z_lower[k], y_lower[j]]
            b = source[z_lower[k], y_upper[j]]
            c = source[z_upper[k], y_lower[j]]
            d = source[z_upper[k], y_upper[j]]
            for i in range(mixed.shape[0]):
                mixed[i] = (a[i] != b[i]) | (a[i] != c[i]) | (a[i] != d[i])
            for i in range(out.shape[2]):
                low, high = x_lower[i], x_upper[i]
                if (a[low] == a[high]) & ((mixed[low] | mixed[high]) == 0):
                    out[k, j, i] = a[low]
                    continue
                around[0], around[1], around[2], around[3] = a[low], a[high], b[low], b[high]
                around[4], around[5], around[6], around[7] = c[low], c[high], d[low], d[high]
                for corner in range(8):
                    along_z = z_weight[k] if corner >= 4 else 1.0 - z_weight[k]
                    along_y = y_weight[j] if corner % 4 >= 2 else 1.0 - y_weight[j]
                    along_x = x_weight[i] if corner % 2 else 1.0 - x_weight[i]
                    shares[corner] = along_z * along_y * along_x
                out[k, j, i] = around[_heaviest(around, shares, tie)]
