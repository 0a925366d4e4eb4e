"""Linear interpolation along each axis: two voxels an axis; the obvious way, in NumPy.

What :mod:`two_taps_compiled` is compared with, bit for bit, and what takes its place for arrays too
small to compile for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.preprocess.axis_taps import Axis

TIE = 1e-9
"""Weights of two labels that differ by less are equal: the lower label is taken."""


def linear(source: npt.NDArray[Any], axes: Sequence[Axis], dtype: type) -> npt.NDArray[Any]:
    """(z, y, x) → the part of the target inside the image, float32 or float64; along y, x, z."""
    blended = source
    for axis in (1, 2, 0):
        lower, upper, weight = axes[axis].taps()
        shape = [1, 1, 1]
        shape[axis] = -1
        below: npt.NDArray[Any] = blended.take(lower, axis).astype(dtype)
        above: npt.NDArray[Any] = blended.take(upper, axis).astype(dtype)
        blended = below + weight.astype(dtype).reshape(shape) * (above - below)
    return blended


def nearest(source: npt.NDArray[Any], axes: Sequence[Axis]) -> npt.NDArray[Any]:
    """(z, y, x) → the voxel in which each place lies."""
    z, y, x = (axis.nearest() for axis in axes)
    return source[np.ix_(z, y, x)]


def labels(source: npt.NDArray[Any], axes: Sequence[Axis]) -> npt.NDArray[Any]:
    """(z, y, x) → of the eight labels around each place the one with the most linear weight."""
    indices, weights = [], []
    for lower, upper, weight in (axis.taps() for axis in axes):
        indices.append((lower, upper))
        weights.append((1.0 - weight, weight))
    corners = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    around = np.stack(
        [source[np.ix_(indices[0][a], indices[1][b], indices[2][c])] for a, b, c in corners]
    )
    shares = np.stack(
        [
            weights[0][a][:, None, None] * weights[1][b][:, None] * weights[2][c]
            for a, b, c in corners
        ]
    )
    chosen: npt.NDArray[Any] = around[0].copy()
    mixed = (around != around[0]).any(axis=0)
    chosen[mixed] = _heaviest(around[:, mixed], shares[:, mixed])
    return chosen


def _heaviest(around: npt.NDArray[Any], shares: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(8, place) labels and their shares → (place,) the label with the largest sum of shares."""
    chosen: npt.NDArray[Any] = around[0].copy()
    best = np.full(chosen.shape, -1.0)
    for label in around:
        share = np.where(around == label, shares, 0.0).sum(axis=0)
        tied = np.abs(share - best) <= TIE
        better = np.where(tied, label < chosen, share > best)
        chosen = np.where(better, label, chosen)
        best = np.where(better & ~tied, share, best)
    return chosen
