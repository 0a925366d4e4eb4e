"""Surfaces of all labels as bits, compiled; imported on first use.

A *bit map* holds one bit a voxel in rows of whole 64-bit words, with room on every side, so that a
step of up to that room never leaves it: ``address = (plane * rows + row) * words * 64 + x``. Each
function works on a share of the planes and holds no lock: threads share them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]


@njit(nogil=True)
def _changes(
    row: Array, above: Array, below: Array, before: Array, behind: Array, changed: Array
) -> None:
    """Not 0 where a voxel of a label has a neighbour of another value; ends of the row count."""
    last = row.size - 1
    left, middle, right = row[:-2], row[1:-1], row[2:]
    up, down = above[1:-1], below[1:-1]
    front, back = before[1:-1], behind[1:-1]
    inner = changed[1:-1]
    for x in range(middle.size):
        v = middle[x]
        other = (v ^ left[x]) | (v ^ right[x]) | (v ^ up[x]) | (v ^ down[x])
        other |= (v ^ front[x]) | (v ^ back[x])
        inner[x] = other if v != 0 else 0
    changed[0] = row[0]
    changed[last] = row[last]


@njit(nogil=True)
def _mark(
    row: Array, changed: Array, places: Array, bits: Array, start: int, x0: int, counts: Array
) -> None:
    """Set the bit of every changed voxel of a label: ``start`` is the address of the first x."""
    words = changed.view(np.uint64)
    size = 8 // row.itemsize
    for k in range(words.size):
        if words[k] == 0:
            continue
        for x in range(k * size, min((k + 1) * size, row.size)):
            if changed[x] != 0:
                place = places[row[x]]
                if place > 0:
                    address = start + x - x0
                    bits[address >> 6] |= np.uint64(1) << np.uint64(address & 63)
                    counts[place] += 1


@njit(nogil=True)
def mark_surfaces(
    volume: Array,
    places: Array,
    box: Array,
    room: Array,
    layout: Array,
    flat: bool,
    bits: Array,
    counts: Array,
    first: int,
    last: int,
) -> None:
    """Planes [first, last) of ``box`` → bits of voxels lost by one 6-neighbour erosion of their
    label; outside the volume is background. ``counts`` (plane, place): how many."""
    depth, height, width = volume.shape
    rows, words = layout
    longest = (width + 7) // 8 * 8
    changed = np.zeros(longest, volume.dtype)
    zeros = np.zeros(width, volume.dtype)
    for z in range(first, last):
        for y in range(box[2], box[3] + 1):
            row = volume[z, y]
            above = volume[z, y - 1] if y > 0 else zeros
            below = volume[z, y + 1] if y < height - 1 else zeros
            if flat:
                before, behind = row, row
            else:
                before = volume[z - 1, y] if z > 0 else zeros
                behind = volume[z + 1, y] if z < depth - 1 else zeros
            _changes(row, above, below, before, behind, changed[:width])
            plane = (z - box[0] + room[0]) * rows + y - box[2] + room[1]
            start = plane * words * 64 + room[2]
            _mark(row, changed, places, bits, start, box[4], counts[z - box[0]])


# De Bruijn: the lowest bit times this has its place in the six highest.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, np.int64)
for _place in range(64):
    _PLACES[((1 << _place) * int(_SEQUENCE) % 2**64) >> 58] = _place


@njit(nogil=True)
def _bits_of(word: Any, found: Array) -> int:
    """The places of the bits set → ``found``; how many."""
    n = 0
    while word:
        rest = word & (word - np.uint64(1))
        found[n] = _PLACES[((word ^ rest) * _SEQUENCE) >> np.uint64(58)]
        word = rest
        n += 1
    return n


@njit(nogil=True)
def collect(
    volume: Array,
    places: Array,
    box: Array,
    room: Array,
    layout: Array,
    bits: Array,
    starts: Array,
    points: Array,
    first: int,
    last: int,
) -> None:
    """Addresses of the bits of planes [first, last) of ``box`` → ``points``, grouped by label:
    ``starts`` (plane, place) is where those of a plane go."""
    rows, words = layout
    found = np.empty(64, np.int64)
    for z in range(first, last):
        at = starts[z - box[0]].copy()
        for y in range(box[2], box[3] + 1):
            plane = (z - box[0] + room[0]) * rows + y - box[2] + room[1]
            for k in range(words):
                word = bits[plane * words + k]
                if word == 0:
                    continue
                for n in range(_bits_of(word, found)):
                    inside = k * 64 + found[n]
                    place = places[volume[z, y, inside - room[2] + box[4]]]
                    points[at[place]] = plane * words * 64 + inside
                    at[place] += 1


@njit(nogil=True)
def mark_outside(
    volume: Array,
    other: Array,
    value: int,
    box: Array,
    room: Array,
    layout: Array,
    points: Array,
) -> int:
    """Addresses of the voxels of ``value`` that are not so in ``other`` → ``points``; how many."""
    rows, words = layout
    n = 0
    for z in range(box[0], box[1] + 1):
        for y in range(box[2], box[3] + 1):
            plane = (z - box[0] + room[0]) * rows + y - box[2] + room[1]
            start = plane * words * 64 + room[2] - box[4]
            for x in range(box[4], box[5] + 1):
                if volume[z, y, x] == value and other[z, y, x] != value:
                    points[n] = start + x
                    n += 1
    return n
