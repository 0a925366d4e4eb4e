"""The bars of a collapsed graph up to degree 2, in one compiled call without the lock.

Compiled; imported on first use, once per process, in a few seconds.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips_cohomology import NOBODY, cofaces, reduce_columns, spanning_edges
from cohortflow.topology.rips_graph import Ints, number_edges, tetrahedron_faces, triangles_of
from cohortflow.topology.rips_lengths import ROOM, VERTEX, Keys, Ranks


@njit(nogil=True, error_model="numpy")
def graph_bars(
    keys: Keys, matrix: Ranks, values: Floats, max_degree: int, most: int
) -> tuple[Floats, Keys]:
    """Birth and death of each bar (bar * 2,) and the ends of the degrees among them, 1 or 2 of them.

    ``keys`` are the collapsed edges, sorted (rank, u, v in one integer each), ``matrix`` holds their
    ranks and gets their numbers, ``values`` (rank,) their lengths. No degree is returned where more
    than ``most`` simplices or numbers would have to be held.
    """
    n, edges, nothing = len(matrix) - ROOM, len(keys), (np.empty(0), np.empty(0, np.int64))
    joins = np.empty(n, np.int32)
    ends = spanning_edges(keys, n, joins)
    starts, neighbours, before = number_edges(keys, matrix)
    firsts, apexes, faces = triangles_of(keys, matrix, starts, neighbours, before, most)
    if firsts[edges] < 0:
        return nothing
    lengths, heights = np.empty(edges), np.empty(len(apexes))
    for e in range(edges):
        lengths[e] = values[keys[e] >> 2 * VERTEX]
        for t in range(firsts[e], firsts[e + 1]):
            heights[t] = lengths[e]
    starts, rows = cofaces(faces, 3, edges)
    fillers, fits = reduce_columns(starts, rows, len(apexes), ends, most)
    births, counts = np.empty(n), np.empty(max_degree + 1, np.int64)
    for u in range(n):
        births[u] = 0.0
    bars = np.empty(2 * (n + edges + len(apexes)))
    counts[0] = _write(bars, 0, births, joins, lengths)
    counts[1] = _write(bars, counts[0], lengths, ends, heights)
    if max_degree == 2 and fits:
        faces, fits = tetrahedron_faces(keys, matrix, firsts, apexes, most)
        tops = np.empty(len(faces) // 4)
        for k in range(len(tops)):
            tops[k] = heights[faces[4 * k]]
        starts, rows = cofaces(faces, 4, len(apexes))
        if fits:
            _, fits = reduce_columns(starts, rows, len(tops), fillers, most)
        counts[2] = _write(bars, counts[1], heights, fillers, tops)
    return (bars[: 2 * counts[max_degree]], counts) if fits else nothing


@njit(nogil=True, error_model="numpy")
def _write(bars: Floats, first: int, births: Floats, partner: Ints, deaths: Floats) -> int:
    """From bar ``first`` on those of more than zero length, by birth, then death; where they end."""
    end = first
    for k in range(len(partner)):
        if partner[k] < NOBODY:
            continue
        death = deaths[partner[k]] if partner[k] >= 0 else np.inf
        if death > births[k]:
            # Births ascend, so only bars of the same birth are out of order.
            j = end
            while j > first and bars[2 * j - 2] == births[k] and bars[2 * j - 1] > death:
                bars[2 * j], bars[2 * j + 1] = births[k], bars[2 * j - 1]
                j -= 1
            bars[2 * j], bars[2 * j + 1] = births[k], death
            end += 1
    return end
