"""Boxes of voxels: around a body, around labels; cut out and put around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UndefinedResult
from cohortflow.geometry.grid import Grid
from cohortflow.geometry.matrices import Floats

Array = npt.NDArray[Any]
Box = tuple[slice, slice, slice]


def largest_object(mask: npt.NDArray[np.bool_]) -> Box:
    """The box around the largest of the objects of a mask (z, y, x); neighbours share a face.

    Raises :class:`UndefinedResult` for an empty mask.
    """
    from scipy import ndimage

    objects = np.empty(mask.shape, np.int32)
    count = ndimage.label(mask, output=objects)
    if not count:
        raise UndefinedResult("nothing stands out from the background")
    sizes = np.bincount(objects.reshape(-1))[1:]
    z, y, x = ndimage.find_objects(objects)[int(sizes.argmax())]
    return z, y, x


def around(mask: npt.NDArray[np.bool_]) -> Box:
    """The box around all that is set; raises :class:`UndefinedResult` for an empty mask."""
    lines = [mask.any(axis=(1, 2)), mask.any(axis=(0, 2)), mask.any(axis=(0, 1))]
    if not lines[0].any():
        raise UndefinedResult("none of the labels is there")
    z, y, x = (slice(int(on[0]), int(on[-1]) + 1) for on in map(np.flatnonzero, lines))
    return z, y, x


def widened(box: Box, by: Sequence[int], shape: Sequence[int]) -> Box:
    """The box with ``by`` more voxels on either side, as far as there are any."""
    z, y, x = (
        slice(max(part.start - more, 0), min(part.stop + more, size))
        for part, more, size in zip(box, by, shape, strict=True)
    )
    return z, y, x


def shifted(grid: Grid, shape: Sequence[int], first: Sequence[int]) -> tuple[Grid, Floats]:
    """The grid of ``shape`` whose voxel 0 is voxel ``first`` of ``grid``, and the way between them.

    The way is the matrix (4, 4) from indices there to indices here.
    """
    way = np.eye(4)
    way[:3, 3] = first
    z, y, x = shape
    matrix = None if grid.index_to_world is None else grid.index_to_world @ way
    return Grid((z, y, x), matrix), way
