"""All Wasserstein distances among diagrams, or between two lists of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Essential, GroundNorm
from cohortflow.topology.wasserstein import check_order, prepare, prepared_distance


def wasserstein_matrix(
    diagrams: Sequence[npt.ArrayLike],
    order: float = 1.0,
    ground_norm: GroundNorm = "linf",
    essential: Essential = "refuse",
    others: Sequence[npt.ArrayLike] | None = None,
) -> npt.NDArray[np.float64]:
    """Wasserstein distances of diagrams: symmetric (n, n), or rectangular (n, m) against ``others``.

    Parameters and errors as in :func:`wasserstein_distance`; float64.
    Source: Aithal et al. 2024, equations 5 and 6.
    """
    check_order(order)
    rows = [prepare(diagram, order, ground_norm, essential) for diagram in diagrams]
    if others is not None:
        columns = [prepare(diagram, order, ground_norm, essential) for diagram in others]
        table = [[prepared_distance(a, b, order, ground_norm) for b in columns] for a in rows]
        return np.array(table, dtype=np.float64).reshape(len(rows), len(columns))
    matrix = np.zeros((len(rows), len(rows)))
    for i, a in enumerate(rows):
        for j in range(i + 1, len(rows)):
            matrix[i, j] = matrix[j, i] = prepared_distance(a, rows[j], order, ground_norm)
    return matrix
