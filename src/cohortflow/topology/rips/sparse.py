"""Rips persistence of a large cloud under a threshold: only the edges within it are held."""

from __future__ import annotations

import numpy as np

from cohortflow.topology.bars import Floats
from cohortflow.topology.rips.by_gudhi import graph_persistence
from cohortflow.topology.rips.cost import RipsCost, refuse_beyond, sparse_cost


def sparse_persistence(
    points: Floats, threshold: float, max_degree: int, limit: RipsCost
) -> list[Floats]:
    """Diagrams H0 … H``max_degree`` (1 or more) of points (point, coordinate); edges are counted
    first, and refused where their predicted cost exceeds ``limit``."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    # The tree rounds in its own way; the lengths below decide.
    radius = threshold * (1.0 + 1e-9)
    edges = (int(tree.count_neighbors(tree, radius)) - len(points)) // 2
    cost = sparse_cost(len(points), edges, max_degree)
    refuse_beyond(cost, limit, f"{len(points)} points with {edges} edges within the threshold")
    u, v = tree.query_pairs(radius, output_type="ndarray").T
    squares = np.zeros(len(u))
    for k in range(points.shape[1]):
        squares += (points[u, k] - points[v, k]) ** 2
    lengths = np.sqrt(squares)
    kept = lengths <= threshold
    return graph_persistence(len(points), u[kept], v[kept], lengths[kept], max_degree, collapses=1)
