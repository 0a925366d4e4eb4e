"""Rips persistence from the lengths of all pairs: collapse, then the small complex that is left."""

from __future__ import annotations

import numpy as np

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.by_gudhi import graph_persistence
from cohortflow.topology.rips.collapse import collapse
from cohortflow.topology.rips.cost import SHORT_RANKS, RipsCost, clique_cost, refuse_beyond
from cohortflow.topology.rips.graph import count_apexes, sort_keys
from cohortflow.topology.rips.lengths import (
    LINE,
    ROOM,
    VERTEX,
    VERTICES,
    Keys,
    Rank,
    Ranks,
    ascending_edges,
    enclosing_radius,
    rank_edges,
)
from cohortflow.topology.rips.small import graph_bars

FEW, PER_EDGE = 4096, 24
"""A complex of more than FEW and PER_EDGE times its edges is faster in gudhi, which lists no
simplex: points spread evenly over a circle or a sphere, which do not collapse."""


def dense_persistence(
    lengths: Floats, points: int, threshold: float, max_degree: int, limit: RipsCost
) -> list[Floats]:
    """Diagrams H0 … H``max_degree`` (1 or more) of ``lengths`` (pair,), row after row."""
    edges, values, matrix = collapsed_edges(lengths, points, threshold)
    if max_degree <= 2:
        bars = graph_bars(edges, matrix, values, max_degree, FEW + PER_EDGE * len(edges))
        if bars is not None:
            return bars
    cost = clique_cost(count_apexes(edges, points).tolist(), max_degree)
    refuse_beyond(cost, limit, f"the {len(edges)} edges that a collapse leaves of {points} points")
    u, v = edges >> VERTEX & VERTICES, edges & VERTICES
    return graph_persistence(points, u, v, values[edges >> 2 * VERTEX], max_degree)


def collapsed_edges(
    lengths: Floats, points: int, threshold: float = np.inf
) -> tuple[Keys, Floats, Ranks]:
    """Collapse the graph of all ``lengths`` (pair,) up to ``threshold``.

    Returns the edges that stay, sorted (rank, u, v in one integer each), the length (rank,) of each
    rank, and the matrix of ranks.
    """
    rank: type[Rank] = np.uint16 if points <= SHORT_RANKS else np.uint32
    matrix = np.empty((points + ROOM, -(-points // LINE) * LINE), rank)
    never = rank(np.iinfo(rank).max)
    longest = min(threshold, enclosing_radius(lengths, points), np.finfo(np.float64).max)
    keys = ascending_edges(lengths, points, longest)
    values = rank_edges(keys, lengths, points, matrix, never)
    left = keys[len(keys) - collapse(keys, matrix, never) :]
    sort_keys(left)
    return left, values, matrix
