"""Surface elements at corners of voxels, compiled; imported on first use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True)
def mark_corners(
    volume: Array,
    value: int,
    box: Array,
    deep: int,
    areas: Array,
    room: Array,
    layout: Array,
    bits: Array,
) -> int:
    """Corners between voxels where the surface of ``value`` passes → bits; how many.

    The corner (z, y, x) has the voxels z - 1 and z, y - 1 and y, x - 1 and x round it; ``areas``
    (code,) is negative where no surface passes. ``deep``: 2, and 1 for an image of one slice, whose
    corners have the voxels of z only.
    """
    rows, words = layout
    n = 0
    for z in range(box[0], box[1] + deep):
        for y in range(box[2], box[3] + 2):
            line = (z - box[0] + room[0]) * rows + y - box[2] + room[1]
            start = line * words * 64 + room[2] - box[4]
            code = 0
            for x in range(box[4], box[5] + 2):
                code = _next_code(volume, value, z, y, x, code)
                if areas[code] >= 0:
                    address = start + x
                    bits[address >> 6] |= np.uint64(1) << np.uint64(address & 63)
                    n += 1
    return n


@njit(nogil=True)
def _next_code(volume: Array, value: int, z: int, y: int, x: int, before: int) -> int:
    """The code of the corner at x, from that at x - 1: voxels at x are the bits 0, 2, 4 and 6."""
    code = (before & 0b01010101) << 1
    if x < volume.shape[2]:
        for k in range(4):
            i, j = z - 1 + k // 2, y - 1 + k % 2
            inside = 0 <= i < volume.shape[0] and 0 <= j < volume.shape[1]
            if inside and volume[i, j, x] == value:
                code |= 1 << (2 * (3 - k))
    return code


@njit(nogil=True)
def corners(
    volume: Array,
    value: int,
    box: Array,
    deep: int,
    areas: Array,
    room: Array,
    layout: Array,
    points: Array,
    sizes: Array,
) -> None:
    """The same again: addresses of those corners → ``points``, areas → ``sizes``."""
    rows, words = layout
    n = 0
    for z in range(box[0], box[1] + deep):
        for y in range(box[2], box[3] + 2):
            line = (z - box[0] + room[0]) * rows + y - box[2] + room[1]
            start = line * words * 64 + room[2] - box[4]
            code = 0
            for x in range(box[4], box[5] + 2):
                code = _next_code(volume, value, z, y, x, code)
                if areas[code] >= 0:
                    points[n] = start + x
                    sizes[n] = areas[code]
                    n += 1
