"""A tree of boxes over points, compiled; imported on first use.

Points stand in an order that keeps neighbours together (Morton's); ``LEAF`` of them at a time are a
leaf, and each pair of nodes has one above it: node n has the children 2n and 2n + 1. Boxes are in
whole steps along z, y, x, so a distance to a box is never more than one to a point in it, in
floating point too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]
LEAF = 8
_NOWHERE = 2**30
_DEPTH = 64


@njit(nogil=True)
def _spread(value: Any) -> Any:
    """The lowest 21 bits, each followed by two zeros."""
    v = np.uint64(value) & np.uint64(0x1FFFFF)
    v = (v | (v << np.uint64(32))) & np.uint64(0x1F00000000FFFF)
    v = (v | (v << np.uint64(16))) & np.uint64(0x1F0000FF0000FF)
    v = (v | (v << np.uint64(8))) & np.uint64(0x100F00F00F00F00F)
    v = (v | (v << np.uint64(4))) & np.uint64(0x10C30C30C30C30C3)
    return (v | (v << np.uint64(2))) & np.uint64(0x1249249249249249)


@njit(nogil=True)
def morton_keys(indices: Array, scale: tuple[float, float, float], keys: Array) -> None:
    """Along a curve that leaves a cube of space only when it has filled it; ``scale``: steps along
    z, y, x in units of the shortest."""
    for n in range(indices.shape[0]):
        keys[n] = (
            (_spread(int(indices[n, 0] * scale[0])) << np.uint64(2))
            | (_spread(int(indices[n, 1] * scale[1])) << np.uint64(1))
            | _spread(int(indices[n, 2] * scale[2]))
        )


@njit(nogil=True)
def fill_boxes(sites: Array, boxes: Array) -> None:
    """``boxes`` (node, 6): first and last z, y, x of the sites below each node; leaves are the
    second half."""
    leaves = boxes.shape[0] // 2
    for leaf in range(leaves):
        node = leaves + leaf
        for axis in range(3):
            boxes[node, 2 * axis] = _NOWHERE
            boxes[node, 2 * axis + 1] = -_NOWHERE
        for n in range(leaf * LEAF, min((leaf + 1) * LEAF, sites.shape[0])):
            for axis in range(3):
                boxes[node, 2 * axis] = min(boxes[node, 2 * axis], sites[n, axis])
                boxes[node, 2 * axis + 1] = max(boxes[node, 2 * axis + 1], sites[n, axis])
    for node in range(leaves - 1, 0, -1):
        for side in range(0, 6, 2):
            boxes[node, side] = min(boxes[2 * node, side], boxes[2 * node + 1, side])
            above = side + 1
            boxes[node, above] = max(boxes[2 * node, above], boxes[2 * node + 1, above])


@njit(nogil=True)
def _to_box(box: Array, z: int, y: int, x: int, sampling: tuple[float, float, float]) -> Any:
    a = max(box[0] - z, z - box[1], 0) * sampling[0]
    b = max(box[2] - y, y - box[3], 0) * sampling[1]
    c = max(box[4] - x, x - box[5], 0) * sampling[2]
    return a * a + b * b + c * c


@njit(nogil=True)
def _nearest(
    z: int,
    y: int,
    x: int,
    sites: Array,
    boxes: Array,
    sampling: tuple[float, float, float],
    guess: int,
    nodes: Array,
    lower: Array,
) -> tuple[float, int]:
    """Square of the distance to the nearest site, and its place; ``guess``: a site not far off."""
    a = (z - sites[guess, 0]) * sampling[0]
    b = (y - sites[guess, 1]) * sampling[1]
    c = (x - sites[guess, 2]) * sampling[2]
    best, found = a * a + b * b + c * c, guess
    leaves = boxes.shape[0] // 2
    nodes[0], lower[0] = 1, 0.0
    top = 1
    while top:
        top -= 1
        if lower[top] >= best:
            continue
        node = nodes[top]
        while node < leaves:
            left = _to_box(boxes[2 * node], z, y, x, sampling)
            right = _to_box(boxes[2 * node + 1], z, y, x, sampling)
            nearer, near, far = 2 * node, left, right
            if right < left:
                nearer, near, far = 2 * node + 1, right, left
            if far < best:
                nodes[top], lower[top] = nearer ^ 1, far
                top += 1
            if near >= best:
                break
            node = nearer
        else:
            first = (node - leaves) * LEAF
            for n in range(first, min(first + LEAF, sites.shape[0])):
                a = (z - sites[n, 0]) * sampling[0]
                b = (y - sites[n, 1]) * sampling[1]
                c = (x - sites[n, 2]) * sampling[2]
                distance = a * a + b * b + c * c
                if distance < best:
                    best, found = distance, n
    return best, found


@njit(nogil=True)
def nearest_of_tree(
    points: Array,
    order: Array,
    sites: Array,
    boxes: Array,
    sampling: tuple[float, float, float],
    distances: Array,
) -> None:
    """Distance from each of ``points`` (point, 3) to the nearest of ``sites``.

    ``order``: of the points, neighbours together: what is nearest to one is not far from what is
    nearest to the next.
    """
    nodes, lower = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    guess = 0
    for n in order:
        z, y, x = points[n, 0], points[n, 1], points[n, 2]
        best, guess = _nearest(z, y, x, sites, boxes, sampling, guess, nodes, lower)
        distances[n] = np.sqrt(best)
