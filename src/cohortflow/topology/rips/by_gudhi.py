"""Persistence of a weighted graph's flag complex by gudhi: no simplex is listed, any degree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Floats

Vertices = npt.NDArray[np.int64]


def graph_persistence(
    points: int, u: Vertices, v: Vertices, lengths: Floats, max_degree: int, collapses: int = 0
) -> list[Floats]:
    """Diagrams H0 … H``max_degree`` of the edges (u, v) and their ``lengths`` (edge,)."""
    from gudhi.sklearn import RipsPersistence
    from scipy.sparse import coo_matrix

    rips = RipsPersistence(
        homology_dimensions=list(range(max_degree + 1)),
        input_type="distance coo_matrix",
        num_collapses=collapses,
        homology_coeff_field=2,
    )
    graph = coo_matrix((lengths, (u, v)), shape=(points, points))
    return [canonical(bars) for bars in rips.fit_transform([graph])[0]]


def canonical(bars: npt.ArrayLike) -> Floats:
    """Bars of more than zero length (bar, 2), by birth, then death."""
    diagram = np.asarray(bars, dtype=np.float64).reshape(-1, 2)
    diagram = diagram[diagram[:, 1] > diagram[:, 0]]
    return np.ascontiguousarray(diagram[np.lexsort((diagram[:, 1], diagram[:, 0]))])
