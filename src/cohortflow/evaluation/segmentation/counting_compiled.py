"""Counting the voxels of two label maps, compiled; imported on first use.

Each function works on a share of the words and holds no lock: threads share them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True)
def _extend(boxes: Array, place: int, z: int, y: int, first: int, last: int) -> None:
    boxes[place, 0] = min(boxes[place, 0], z)
    boxes[place, 1] = max(boxes[place, 1], z)
    boxes[place, 2] = min(boxes[place, 2], y)
    boxes[place, 3] = max(boxes[place, 3], y)
    boxes[place, 4] = min(boxes[place, 4], first)
    boxes[place, 5] = max(boxes[place, 5], last)


@njit(nogil=True)
def _count_run(
    values: tuple[Any, Any],
    z: int,
    y: int,
    first: int,
    length: int,
    places: Array,
    counts: Array,
    boxes: Array,
) -> None:
    """Voxels of a row, all of one value in each volume."""
    p, q = places[values[0]], places[values[1]]
    counts[p, 0] += length
    counts[q, 1] += length
    _extend(boxes, p, z, y, first, first + length - 1)
    if p == q:
        counts[p, 2] += length
    else:
        _extend(boxes, q, z, y, first, first + length - 1)


@njit(nogil=True)
def _count_mixed(
    u: Any,
    v: Any,
    row: int,
    x: int,
    shape: tuple[int, int, int],
    bits: Any,
    places: Array,
    counts: Array,
    boxes: Array,
) -> None:
    """The voxels of a word of several values, or one that goes on in the next row."""
    mask = (np.uint64(1) << bits) - np.uint64(1)
    z, y = row // shape[1], row % shape[1]
    began, length = x, 0
    a, b = u & mask, v & mask
    for _ in range(np.uint64(64) // bits):
        if length and ((u & mask) != a or (v & mask) != b or x == shape[2]):
            if a | b:
                _count_run((a, b), z, y, began, length, places, counts, boxes)
            if x == shape[2]:
                x, y = 0, y + 1
                if y == shape[1]:
                    y, z = 0, z + 1
            began, length = x, 0
            a, b = u & mask, v & mask
        length += 1
        x += 1
        u >>= bits
        v >>= bits
    if a | b:
        _count_run((a, b), z, y, began, length, places, counts, boxes)


@njit(nogil=True)
def count(
    volumes: tuple[Any, Any],
    words: tuple[Any, Any],
    places: Array,
    counts: Array,
    boxes: Array,
    first: int,
    last: int,
) -> None:
    """Words [first, last) of both → ``counts`` (place, 3): reference, prediction, both; ``boxes``
    (place, 6): first and last z, y, x of either. The place -1 is the last row.

    Voxels of words that are 0 in both are not counted. A run of equal words is counted once.
    """
    reference = volumes[0]
    a, b = words
    height, width = reference.shape[1], reference.shape[2]
    size = 8 // reference.itemsize
    bits = np.uint64(8 * reference.itemsize)
    mask = (np.uint64(1) << bits) - np.uint64(1)
    spread = np.uint64(0)
    for k in range(size):
        spread |= np.uint64(1) << (np.uint64(k) * bits)
    row, x = first * size // width, first * size % width
    run, began = 0, 0
    u0, v0 = np.uint64(0), np.uint64(0)
    for k in range(first, last):
        u, v = a[k], b[k]
        if run and (u != u0 or v != v0 or x + size > width):
            values = (u0 & mask, v0 & mask)
            _count_run(values, row // height, row % height, began, run, places, counts, boxes)
            run = 0
        if run:
            run += size
        elif u | v:
            p, q = u & mask, v & mask
            if u == p * spread and v == q * spread and x + size <= width:
                u0, v0, began, run = u, v, x, size
            else:
                _count_mixed(u, v, row, x, reference.shape, bits, places, counts, boxes)
        x += size
        ended = x >= width
        if ended and run:
            values = (u0 & mask, v0 & mask)
            _count_run(values, row // height, row % height, began, run, places, counts, boxes)
            run = 0
        while x >= width:
            x -= width
            row += 1
    if run:
        values = (u0 & mask, v0 & mask)
        _count_run(values, row // height, row % height, began, run, places, counts, boxes)


@njit(nogil=True)
def count_rest(
    volumes: tuple[Any, Any], places: Array, counts: Array, boxes: Array, first: int
) -> None:
    """The voxels from the flat index ``first`` on, that fill no word."""
    reference, prediction = volumes
    height, width = reference.shape[1], reference.shape[2]
    a, b = reference.reshape(-1), prediction.reshape(-1)
    for k in range(first, a.size):
        row = k // width
        z, y, x = row // height, row % height, k - row * width
        _count_run((np.uint64(a[k]), np.uint64(b[k])), z, y, x, 1, places, counts, boxes)
