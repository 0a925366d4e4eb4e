"""Interpolation along one axis as a matrix, cut into blocks: cubic splines and Gaussian blurs.

The spline is that of ITK: cubic, through the voxel centres, mirrored at the outermost ones
(Unser, Splines, IEEE Signal Processing Magazine 16(6), 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.preprocess.axis_taps import Axis, Floats

_BLOCK = 24
_REACH = 4.0  # standard deviations of a Gaussian


def operator(axis: Axis) -> Floats:
    """(inside, size): what each place of the target takes from each voxel of the source."""
    at = _spline(axis) if axis.rule == "bspline" else _two_taps(axis)
    return at @ gaussian(axis.size, axis.blur) if axis.blur > 0 else at


def gaussian(size: int, deviation: float) -> Floats:
    """(size, size): a blur whose weights, cut off at four deviations and at the edges, sum to 1."""
    apart = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-0.5 * (apart / deviation) ** 2)
    weights[np.abs(apart) > _REACH * deviation + 0.5] = 0.0
    normalised: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _two_taps(axis: Axis) -> Floats:
    lower, upper, weight = axis.taps()
    at = np.zeros((len(lower), axis.size))
    rows = np.arange(len(lower))
    at[rows, lower] += 1.0 - weight
    at[rows, upper] += weight
    return at


def _spline(axis: Axis) -> Floats:
    from scipy.linalg import solve_banded

    size = axis.size
    if size == 1:
        return np.ones((len(axis.nearest()), 1))
    bands = np.array([np.full(size, 1.0), np.full(size, 4.0), np.full(size, 1.0)]) / 6.0
    bands[0, 1] = bands[2, -2] = 2.0 / 6.0  # the mirrored neighbour counts twice
    coefficients = solve_banded((1, 1), bands, np.eye(size))
    places = axis.coordinates[axis.inside]
    base = np.floor(places).astype(np.int64)
    t = places - base
    weights = ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    at = np.zeros((len(places), size))
    for tap, weight in enumerate(weights):
        at += (weight / 6.0)[:, None] * coefficients[_mirrored(base + tap - 1, size)]
    return at


def _mirrored(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    folded = np.abs(index) % (2 * size - 2)
    inside: npt.NDArray[np.int64] = np.minimum(folded, 2 * size - 2 - folded)
    return inside


@dataclass(frozen=True)
class Blocks:
    """An operator cut into runs of outputs, each with the voxels it takes anything from."""

    outputs: Sequence[slice]
    inputs: Sequence[slice]
    weights: Sequence[npt.NDArray[Any]]
    turned: Sequence[npt.NDArray[Any]]  # the same by (input, output), row after row

    @classmethod
    def of(cls, axis: Axis, dtype: type) -> Blocks:
        whole = operator(axis)
        # What rounding swallows anyway, and denormal numbers, which are slow.
        whole[np.abs(whole) < np.finfo(dtype).eps / 16] = 0.0
        outputs: list[slice] = []
        inputs: list[slice] = []
        weights: list[npt.NDArray[Any]] = []
        for first in range(0, len(whole), _BLOCK):
            rows = whole[first : first + _BLOCK]
            used = np.flatnonzero(rows.any(axis=0))
            columns = slice(int(used[0]), int(used[-1]) + 1)
            outputs.append(slice(first, first + len(rows)))
            inputs.append(columns)
            weights.append(rows[:, columns].astype(dtype))
        turned = [np.ascontiguousarray(one.T) for one in weights]
        return cls(outputs, inputs, weights, turned)

    def along_first(self, array: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """(size, column) → ``out`` (inside, column)."""
        for rows, columns, weights in zip(self.outputs, self.inputs, self.weights, strict=True):
            np.matmul(weights, array[columns], out=out[rows])

    def along_last(self, array: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """(row, size) → ``out`` (row, inside)."""
        for rows, columns, weights in zip(self.outputs, self.inputs, self.turned, strict=True):
            np.matmul(array[:, columns], weights, out=out[:, rows])
