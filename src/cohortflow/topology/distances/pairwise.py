"""All Wasserstein distances among diagrams, or between two lists of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Essential, Floats, GroundNorm
from cohortflow.topology.distances.blocks import by_blocks
from cohortflow.topology.distances.costs import ABOVE, root, tile_costs
from cohortflow.topology.distances.prepared import Prepared, ahead, prepare
from cohortflow.topology.distances.scaled import scaled_distance, too_small
from cohortflow.topology.ragged import Offsets, pack


def wasserstein_matrix(
    diagrams: Sequence[npt.ArrayLike],
    order: float = 1.0,
    ground_norm: GroundNorm = "linf",
    essential: Essential = "refuse",
    others: Sequence[npt.ArrayLike] | None = None,
) -> Floats:
    """Wasserstein distances of diagrams: symmetric (n, n),
    or rectangular (n, m) against ``others``.

    Parameters and errors as in :func:`wasserstein_distance`; float64.
    Source: Aithal et al. 2024, equations 5 and 6.
    """
    columns = None if others is None else pack(others)
    return wasserstein_tile(pack(diagrams), columns, order, ground_norm, essential)


def wasserstein_tile(
    rows: tuple[Floats, Offsets],
    columns: tuple[Floats, Offsets] | None = None,
    order: float = 1.0,
    ground_norm: GroundNorm = "linf",
    essential: Essential = "refuse",
) -> Floats:
    """The same of packed diagrams (bars, offsets),
    as :func:`~cohortflow.topology.ragged.pack` makes.

    Without ``columns`` a symmetric tile of the diagonal. A distance has the same bits in any tile
    and from either side, so a matrix put together from tiles equals one computed whole. Runs on one
    core and holds no lock: threads may compute tiles side by side.
    """
    a = prepare(*rows, order, ground_norm, essential)
    b = a if columns is None else prepare(*columns, order, ground_norm, essential)

    def solve(rows: Prepared, columns: Prepared, same: bool) -> Floats:
        costs = tile_costs(rows, columns, order, ground_norm, same)
        part = root(costs, order)
        for i, j in _lost(rows, columns, costs, order, ground_norm, same):
            part[i, j] = scaled_distance(rows, i, columns, j, order, ground_norm)
        return part + part.T if same else part

    return by_blocks(a, b, columns is None, solve)


def _lost(
    a: Prepared, b: Prepared, costs: Floats, order: float, ground_norm: GroundNorm, same: bool
) -> Iterator[tuple[int, int]]:
    """Pairs of diagrams that differ, and whose cost is too small to be told by a sum of powers."""
    if order == 1.0 and ground_norm == "linf":
        return  # no power is taken, not even a square
    small = too_small(costs, order)
    if same:
        small &= ABOVE[: len(small), : len(small)]
    if small.any():
        small &= (a.sizes > 0)[:, None] | (b.sizes > 0)
    for i, j in np.argwhere(small).tolist() if small.any() else ():
        first, second = a.one(i), b.one(j)
        if ahead(first) != ahead(second):
            yield i, j
