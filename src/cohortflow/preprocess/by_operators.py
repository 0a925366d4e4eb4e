"""Splines and blurs along each axis, as products of small matrices: planes first or last."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.preprocess.axis_taps import Axis
from cohortflow.preprocess.bands import in_bands
from cohortflow.preprocess.spline_operators import Blocks

Array = npt.NDArray[Any]
_ROWS_BYTES = 2**20


def by_operators(source: Array, axes: Sequence[Axis], out: Array, threads: int) -> None:
    """(z, y, x) → ``out``, the part of the target inside the image, float32 or float64.

    Whatever makes the array smaller goes first. The products are made on one thread each, of pieces
    that do not depend on ``threads``: neither do the bits.
    """
    z, y, x = axes
    with _libraries().limit(limits=1, user_api="blas"):
        if out.shape[0] < source.shape[0]:
            between = np.empty((out.shape[0], *source.shape[1:]), out.dtype)
            _through_planes(source, z, between, threads)
            _in_planes(between, y, x, out, threads)
        else:
            between = np.empty((source.shape[0], *out.shape[1:]), out.dtype)
            _in_planes(source, y, x, between, threads)
            _through_planes(between, z, out, threads)


@functools.cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _in_planes(source: Array, y: Axis, x: Axis, out: Array, threads: int) -> None:
    down, across = _along(y, out.dtype.type), _along(x, out.dtype.type)

    def work(first: int, last: int) -> None:
        lines = np.empty((out.shape[1], source.shape[2]), out.dtype)
        for plane in range(first, last):
            values = source[plane].astype(out.dtype, copy=False)
            if isinstance(down, Blocks):
                down.along_first(values, lines)
            else:
                lines[...] = values[down]
            if isinstance(across, Blocks):
                across.along_last(lines, out[plane])
            else:
                out[plane] = lines[:, across]

    in_bands(work, source.shape[0], threads)


def _through_planes(source: Array, z: Axis, out: Array, threads: int) -> None:
    along = _along(z, out.dtype.type)
    if not isinstance(along, Blocks):
        for place, plane in zip(out, along, strict=True):
            place[...] = source[plane]
        return
    rows = max(1, _ROWS_BYTES // (source.shape[0] * source.shape[2] * out.itemsize))

    def work(first: int, last: int) -> None:
        for start in range(first * rows, min(last * rows, source.shape[1]), rows):
            piece = source[:, start : start + rows].astype(out.dtype, copy=False)
            # A view: the lines of a run of rows lie one after the other.
            columns = out[:, start : start + rows].reshape(len(out), -1)
            along.along_first(piece.reshape(len(piece), -1), columns)

    in_bands(work, -(-source.shape[1] // rows), threads)


def _along(axis: Axis, dtype: type) -> Blocks | npt.NDArray[np.int64]:
    plain = axis.rule == "nearest" and axis.blur == 0
    return axis.nearest() if plain else Blocks.of(axis, dtype)
