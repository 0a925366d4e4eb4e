"""Nearest voxels, compiled; imported on first use. Bit maps are those of ``surfaces_compiled``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True)
def indices_of(points: Array, layout: Array, corner: Array, found: Array) -> None:
    """Addresses → (point, 3) indices (z, y, x) of the volume; ``corner`` is that of address 0."""
    rows, words = layout
    for n in range(points.size):
        line = points[n] // (words * 64)
        found[n, 0] = line // rows + corner[0]
        found[n, 1] = line % rows + corner[1]
        found[n, 2] = points[n] - line * words * 64 + corner[2]


@njit(nogil=True)
def probe(
    points: Array,
    bits: Array,
    steps: Array,
    lengths: Array,
    volume: Array,
    value: int,
    layout: Array,
    corner: Array,
    distances: Array,
) -> tuple[int, int]:
    """Distance from each point to the nearest bit that belongs to a voxel of ``value``.

    ``steps`` (step, 4) sorted by ``lengths``: to another address, and along z, y, x. A point
    without one in reach gets -1. A ``volume`` without voxels: every bit belongs. → How many -1, and
    how many steps were looked at.
    """
    rows, words = layout
    missed, looked = 0, 0
    any_bit = volume.size == 0
    for n in range(points.size):
        at = np.int64(points[n])
        line = at // (words * 64)
        z = line // rows + corner[0]
        y = line % rows + corner[1]
        x = at - line * words * 64 + corner[2]
        distances[n] = -1.0
        for k in range(lengths.size):
            to = at + steps[k, 0]
            if (bits[to >> 6] >> np.uint64(to & 63)) & np.uint64(1) and (
                any_bit or volume[z + steps[k, 1], y + steps[k, 2], x + steps[k, 3]] == value
            ):
                distances[n] = lengths[k]
                looked += k
                break
        else:
            missed += 1
            looked += lengths.size
    return missed, looked


@njit(nogil=True)
def nearest_of_all(
    indices: Array, others: Array, sampling: tuple[float, float, float], distances: Array
) -> None:
    """Distance from each of ``indices`` (point, 3) to the nearest of ``others``, all looked at."""
    for n in range(indices.shape[0]):
        best = np.inf
        for m in range(others.shape[0]):
            z = (indices[n, 0] - others[m, 0]) * sampling[0]
            y = (indices[n, 1] - others[m, 1]) * sampling[1]
            x = (indices[n, 2] - others[m, 2]) * sampling[2]
            best = min(best, z * z + y * y + x * x)
        distances[n] = np.sqrt(best)
