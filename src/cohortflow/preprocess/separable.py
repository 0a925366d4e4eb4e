"""Resampling axis by axis, where source and target have the same axes.

Inside the image the answers are SimpleITK's, many times faster; :mod:`two_taps` is the obvious way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.preprocess import two_taps
from cohortflow.preprocess.axis_taps import Axis
from cohortflow.preprocess.bands import in_bands
from cohortflow.preprocess.by_operators import by_operators

Array = npt.NDArray[Any]

COMPILED_FROM = 2**19
"""Voxels of source and target together: of fewer, to compile takes longer than the work."""


def resample_smooth(
    source: Array, axes: Sequence[Axis], outside: float = 0.0, threads: int = 1
) -> Array:
    """An image (z, y, x) at the places of ``axes``: float32, float64 of float64.

    Beyond the edge of the image, half a voxel from the outermost centres, it is ``outside``.
    """
    dtype = np.float64 if source.dtype == np.float64 else np.float32

    def fill(inside: Array) -> None:
        if any(axis.is_dense for axis in axes):
            by_operators(source, axes, inside, threads)
        elif source.size + inside.size < COMPILED_FROM:
            inside[...] = two_taps.linear(source, axes, dtype)
        else:
            _linear(source, axes, inside, threads)

    return _within(axes, dtype, outside, fill)


def resample_labels(
    source: Array, axes: Sequence[Axis], outside: float = 0.0, threads: int = 1
) -> Array:
    """A label map (z, y, x) at the places of ``axes``; its dtype, and labels that it has, stay.

    Of the eight labels around a place the one with the most linear weight; of equal ones the
    lowest. Where every axis is ``nearest``, the label of the voxel in which the place lies.
    """

    def fill(inside: Array) -> None:
        if all(axis.rule == "nearest" for axis in axes):
            _nearest(source, axes, inside, threads)
        elif source.size + inside.size < COMPILED_FROM:
            inside[...] = two_taps.labels(source, axes)
        else:
            _labels(source, axes, inside, threads)

    return _within(axes, source.dtype.newbyteorder("="), outside, fill)


def _within(
    axes: Sequence[Axis],
    dtype: npt.DTypeLike,
    outside: float,
    fill: Callable[[Array], None],
) -> Array:
    box = tuple(axis.inside for axis in axes)
    inside = np.empty([part.stop - part.start for part in box], dtype)
    if inside.size:
        fill(inside)
    shape = tuple(len(axis.coordinates) for axis in axes)
    if inside.shape == shape:
        return inside
    whole = np.full(shape, outside, dtype)
    whole[box] = inside
    return whole


def _linear(source: Array, axes: Sequence[Axis], inside: Array, threads: int) -> None:
    from cohortflow.preprocess import two_taps_compiled

    given = _as_compiled_for(source)
    z, y, x = _taps(axes, inside.dtype)
    in_bands(
        lambda first, last: two_taps_compiled.linear(given, z, y, x, inside, first, last),
        len(inside),
        threads,
    )


def _labels(source: Array, axes: Sequence[Axis], inside: Array, threads: int) -> None:
    from cohortflow.preprocess import two_taps_compiled

    given, out = _as_compiled_for(source), _as_compiled_for(inside)
    z, y, x = _taps(axes, np.float64)
    in_bands(
        lambda first, last: two_taps_compiled.labels(
            given, z, y, x, out, first, last, two_taps.TIE
        ),
        len(inside),
        threads,
    )


def _nearest(source: Array, axes: Sequence[Axis], inside: Array, threads: int) -> None:
    z, y, x = (axis.nearest() for axis in axes)

    def work(first: int, last: int) -> None:
        for place in range(first, last):
            if place > first and z[place] == z[place - 1]:
                inside[place] = inside[place - 1]
            else:
                inside[place] = source[z[place]].take(y, 0).take(x, 1)

    in_bands(work, len(inside), threads)


def _taps(axes: Sequence[Axis], dtype: npt.DTypeLike) -> list[tuple[Array, Array, Array]]:
    # Indices of 32 bits: twice as many fit a register.
    return [
        (lower.astype(np.int32), upper.astype(np.int32), weight.astype(dtype))
        for lower, upper, weight in (axis.taps() for axis in axes)
    ]


def _as_compiled_for(array: Array) -> Array:
    """In a layout, byte order and dtype that is compiled for; a copy only where it must be."""
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))
