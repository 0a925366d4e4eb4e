"""Counting, surfaces and nearest voxels, compiled; imported on first use: numba takes a while.

Each function works on a share of the planes or of the points and holds no lock: threads share them
out. A *bit map* holds one bit a voxel in rows of whole 64-bit words, with room on every side, so
that a step of up to that room never leaves it: ``address = (plane * rows + row) * words * 64 + x``.
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
    values: tuple[int, int],
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
    u: int,
    v: int,
    row: int,
    x: int,
    shape: tuple[int, int, int],
    bits: int,
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
def _bits_of(word: int, found: Array) -> int:
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
) -> int:
    """Distance from each point to the nearest bit that belongs to a voxel of ``value``.

    ``steps`` (step, 4) sorted by ``lengths``: to another address, and along z, y, x. A point
    without one in reach gets -1. A ``volume`` without voxels: every bit belongs. → How many -1.
    """
    rows, words = layout
    missed = 0
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
                break
        else:
            missed += 1
    return missed


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
