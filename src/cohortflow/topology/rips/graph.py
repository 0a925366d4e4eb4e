"""The triangles and tetrahedra of a collapsed graph, in the order of the filtration.

Compiled; imported on first use. Simplices are numbered in the order in which their last edge comes,
so a smaller number never has a larger length, and faces come before what they bound.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cohortflow.topology.rips.lengths import ROOM, VERTEX, VERTICES, Keys, Ranks

Ints = npt.NDArray[np.int32]


@njit(nogil=True, error_model="numpy")
def sort_keys(keys: Keys) -> None:
    """Sort the few edges that are left, in place."""
    gap = 1
    while 3 * gap < len(keys):
        gap = 3 * gap + 1
    while gap:
        for i in range(gap, len(keys)):
            key, j = keys[i], i
            while j >= gap and keys[j - gap] > key:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key
        gap //= 3


@njit(nogil=True, error_model="numpy")
def number_edges(keys: Keys, matrix: Ranks) -> tuple[Ints, Ints, Ints]:
    """Write each edge's number in place of its rank; neighbours of each vertex by that number.

    ``keys`` sorted. Returns where each vertex begins (n + 1,), the neighbours and, per edge, how
    many neighbours u and v have before it (edge * 2,).
    """
    n = len(matrix) - ROOM
    starts = np.empty(n + 1, np.int32)
    before = np.empty(2 * len(keys), np.int32)
    for u in range(n + 1):
        starts[u] = 0
    for e in range(len(keys)):
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        matrix[u, v] = e
        matrix[v, u] = e
        before[2 * e], before[2 * e + 1] = starts[u + 1], starts[v + 1]
        starts[u + 1] += 1
        starts[v + 1] += 1
    for u in range(n):
        starts[u + 1] += starts[u]
    neighbours = np.empty(2 * len(keys), np.int32)
    for e in range(len(keys)):
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        neighbours[starts[u] + before[2 * e]] = v
        neighbours[starts[v] + before[2 * e + 1]] = u
    return starts, neighbours, before


@njit(nogil=True, error_model="numpy")
def triangles_of(
    keys: Keys, matrix: Ranks, starts: Ints, neighbours: Ints, before: Ints, most: int
) -> tuple[Ints, Ints, Ints]:
    """Per edge where the triangles begin that it is the last edge of (edge + 1,), the third vertex
    of each (triangle,) and its edges (triangle * 3,).

    Where there are more than ``most`` the last beginning is negative,
    and nothing else means anything.
    """
    firsts, room = np.empty(len(keys) + 1, np.int32), 4 * len(keys) + 16
    apexes, faces = np.empty(room, np.int32), np.empty(3 * room, np.int32)
    count = 0
    for e in range(len(keys)):
        firsts[e] = count
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        side = 0
        if before[2 * e + 1] < before[2 * e]:
            u, v, side = v, u, 1
        most_here = before[2 * e + side]
        while count + most_here > len(apexes):
            apexes, faces = doubled(apexes), doubled(faces)
        for k in range(starts[u], starts[u] + most_here):
            # Written in any case, counted if it is one: nothing here could be foreseen by a branch.
            w = neighbours[k]
            apexes[count] = w
            faces[3 * count] = e
            faces[3 * count + 1] = matrix[u, w]
            faces[3 * count + 2] = matrix[v, w]
            count += matrix[v, w] < e
        if count > most:
            firsts[len(keys)] = -1
            return firsts, apexes, faces
    firsts[len(keys)] = count
    return firsts, apexes[:count], faces[: 3 * count]


@njit(nogil=True, error_model="numpy")
def doubled(values: Ints) -> Ints:
    out = np.empty(2 * len(values), np.int32)
    for k in range(len(values)):
        out[k] = values[k]
    return out


@njit(nogil=True, error_model="numpy")
def tetrahedron_faces(
    keys: Keys, matrix: Ranks, firsts: Ints, apexes: Ints, most: int
) -> tuple[Ints, bool]:
    """The triangles of each tetrahedron (tetrahedron * 4,);
    False if there are more than ``most``."""
    faces, count = np.empty(4 * (2 * len(apexes) + 16), np.int32), 0
    for e in range(len(keys)):
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        for s in range(firsts[e], firsts[e + 1]):
            w = apexes[s]
            for t in range(firsts[e], s):
                x = apexes[t]
                if matrix[w, x] < e:
                    if 4 * count == len(faces):
                        if count >= most:
                            return faces[:0], False
                        faces = doubled(faces)
                    faces[4 * count], faces[4 * count + 1] = s, t
                    faces[4 * count + 2] = _triangle(u, w, x, keys, matrix, firsts, apexes)
                    faces[4 * count + 3] = _triangle(v, w, x, keys, matrix, firsts, apexes)
                    count += 1
    return faces[: 4 * count], True


@njit(nogil=True, error_model="numpy")
def _triangle(a: int, b: int, c: int, keys: Keys, matrix: Ranks, firsts: Ints, apexes: Ints) -> int:
    """The number of a triangle."""
    ab, ac, bc = np.int64(matrix[a, b]), np.int64(matrix[a, c]), np.int64(matrix[b, c])
    last = ab if ab > ac else ac
    apex = c if ab > ac else b
    apex = apex if last > bc else a
    last = last if last > bc else bc
    t = firsts[last]
    while apexes[t] != apex:
        t += 1
    return int(t)


def count_apexes(keys: Keys, n: int) -> npt.NDArray[np.int64]:
    """How many triangles each edge is the last one of (edge,); ``keys`` sorted, ``n`` vertices."""
    matrix = np.full((n + ROOM, n), len(keys), np.uint32)
    starts, neighbours, before = number_edges(keys, matrix)
    return _count_apexes(keys, matrix, starts, neighbours, before)


@njit(nogil=True, error_model="numpy")
def _count_apexes(
    keys: Keys, matrix: Ranks, starts: Ints, neighbours: Ints, before: Ints
) -> npt.NDArray[np.int64]:
    counts = np.empty(len(keys), np.int64)
    for e in range(len(keys)):
        u, v = keys[e] >> VERTEX & VERTICES, keys[e] & VERTICES
        counts[e] = 0
        for k in range(starts[u], starts[u] + before[2 * e]):
            counts[e] += matrix[v, neighbours[k]] < e
    return counts
