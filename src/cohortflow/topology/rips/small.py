"""The bars of a collapsed graph up to degree 2:
a short chain of compiled calls without the lock."""

from __future__ import annotations

import numpy as np

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.cohomology import cofaces, reduce_columns, spanning_edges, write_bars
from cohortflow.topology.rips.graph import number_edges, tetrahedron_faces, triangles_of
from cohortflow.topology.rips.lengths import ROOM, VERTEX, Keys, Ranks

COLUMNS = 16


def graph_bars(
    keys: Keys, matrix: Ranks, values: Floats, max_degree: int, most: int
) -> list[Floats] | None:
    """Diagrams (bar, 2) of degree 0 … ``max_degree`` (1 or 2), by birth, then death.

    ``keys`` are the collapsed edges, sorted (rank, u, v in one integer each), ``matrix`` holds
    their ranks and gets their numbers, ``values`` (rank,) their lengths. None where there are more
    than ``most`` simplices of a degree, or COLUMNS times as many numbers in its reduced columns.
    """
    points = len(matrix) - ROOM
    lengths = values[keys >> 2 * VERTEX]
    joins, ends = spanning_edges(keys, points)
    starts, neighbours, before = number_edges(keys, matrix)
    firsts, apexes, faces = triangles_of(keys, matrix, starts, neighbours, before, most)
    if firsts[-1] < 0:
        return None
    heights = lengths[faces[::3]]
    starts, rows = cofaces(faces, 3, len(keys))
    fillers, fits = reduce_columns(starts, rows, len(apexes), ends, COLUMNS * most)
    if not fits:
        return None
    bars = [write_bars(np.zeros(points), joins, lengths), write_bars(lengths, ends, heights)]
    if max_degree == 2:
        faces, fits = tetrahedron_faces(keys, matrix, firsts, apexes, most)
        if not fits:
            return None
        starts, rows = cofaces(faces, 4, len(apexes))
        _, fits = reduce_columns(starts, rows, len(faces) // 4, fillers, COLUMNS * most)
        if not fits:
            return None
        bars.append(write_bars(heights, fillers, heights[faces[::4]]))
    return [one.reshape(-1, 2) for one in bars]
