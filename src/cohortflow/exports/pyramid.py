"""Smaller copies of an image for viewers: means of intensities, the commonest of labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
LARGEST = 256
"""Voxels along the longest axis of the last level."""


def pyramid(
    array: Array, spacing: Sequence[float], *, labels: bool, largest: int = LARGEST
) -> Iterator[tuple[tuple[int, int, int], Array]]:
    """(factors, array) from the whole (…, z, y, x) down to ``largest`` voxels along an axis.

    Each level halves the axes (z, y, x) whose spacing is less than twice the finest, so that voxels
    grow towards cubes. A block that reaches over the end is filled with the last voxel.
    """
    factors = np.ones(3, dtype=int)
    yield (1, 1, 1), array
    shrink = commonest if labels else mean
    while max(array.shape[-3:]) > largest:
        halved = _to_halve(array.shape[-3:], np.asarray(spacing) * factors)
        array = shrink(array, halved)
        factors = np.where(halved, 2 * factors, factors)
        z, y, x = factors.tolist()
        yield (z, y, x), array


def _to_halve(shape: Sequence[int], spacing: npt.NDArray[np.float64]) -> tuple[bool, ...]:
    longer = np.array(shape) > 1
    finest = spacing[longer].min()
    return tuple((longer & (spacing < 2 * finest)).tolist())


def mean(array: Array, halved: Sequence[bool]) -> Array:
    """Means of blocks of two along the halved axes (z, y, x); whole numbers are rounded."""
    wide = array.dtype if array.dtype.itemsize >= 8 and array.dtype.kind == "f" else np.float64
    total = sum(part.astype(wide) for part in _parts(array, halved)) / 2 ** sum(halved)
    rounded = total if array.dtype.kind == "f" else np.rint(total)
    return np.asarray(rounded).astype(array.dtype)


def commonest(array: Array, halved: Sequence[bool]) -> Array:
    """The label that stands most often in each block; of equally common ones the first in it."""
    parts = list(_parts(array, halved))
    best, most = parts[0], np.zeros(parts[0].shape, dtype=np.int8)
    for part in parts:
        count = np.zeros(part.shape, dtype=np.int8)
        for other in parts:
            count += part == other
        best = np.where(count > most, part, best)
        most = np.maximum(most, count)
    return best


def _parts(array: Array, halved: Sequence[bool]) -> Iterator[Array]:
    """The first voxel of every block, the second, …"""
    lead = array.ndim - 3
    sizes = array.shape[lead:]
    odd = [(0, size % 2 if half else 0) for size, half in zip(sizes, halved, strict=True)]
    padded = np.pad(array, [(0, 0)] * lead + odd, mode="edge")
    pairs, whole = (slice(0, None, 2), slice(1, None, 2)), (slice(None),)
    for steps in itertools.product(*(pairs if half else whole for half in halved)):
        z, y, x = steps
        yield padded[..., z, y, x]
