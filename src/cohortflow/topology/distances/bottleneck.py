"""Exact bottleneck distances of persistence diagrams, and matchings that attain them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Essential, Floats
from cohortflow.topology.distances.blocks import by_blocks, essential_costs
from cohortflow.topology.distances.matched import Matching, assembled, refuse_unpaired
from cohortflow.topology.distances.prepared import Indices, Prepared, prepare
from cohortflow.topology.ragged import pack


def bottleneck_distance(
    a: npt.ArrayLike, b: npt.ArrayLike, essential: Essential = "refuse"
) -> float:
    """Exact bottleneck distance of two diagrams (bar, 2), in the unit of their filtration.

    The least, over matchings, of the largest L∞ cost; the diagonal costs persistence / 2. It is the
    Wasserstein distance of order infinity. ``essential`` and errors as in
    :func:`~cohortflow.topology.distances.wasserstein.wasserstein_distance`.
    """
    return float(bottleneck_matrix([a], essential, others=[b])[0, 0])


def bottleneck_matching(
    a: npt.ArrayLike, b: npt.ArrayLike, essential: Essential = "refuse"
) -> Matching:
    """A matching that attains the bottleneck distance, one of many: most pairs may cost up to it.

    Every bar is named once, those that ``essential`` drops never; diagrams of different numbers of
    essential bars have no matching of finite cost: UsageError.
    """
    left, right = (_prepared([x], essential) for x in (a, b))
    refuse_unpaired(left, right)
    level, partner = _solve(left, right)
    rows = np.flatnonzero(partner >= 0)
    distance = max(level, float(essential_costs(left, right, np.inf)[0, 0]))
    return assembled(left, right, np.column_stack([rows, partner[rows]]), distance)


def bottleneck_matrix(
    diagrams: Sequence[npt.ArrayLike],
    essential: Essential = "refuse",
    others: Sequence[npt.ArrayLike] | None = None,
) -> Floats:
    """Bottleneck distances of diagrams: symmetric (n, n), or rectangular (n, m) against ``others``.

    float64, inf where ``essential="match"`` finds different numbers of essential bars. Runs on one
    core and holds no lock.
    """
    a = _prepared(diagrams, essential)
    b = a if others is None else _prepared(others, essential)
    return np.maximum(by_blocks(a, b, others is None, _block), essential_costs(a, b, np.inf))


def _block(a: Prepared, b: Prepared, same: bool) -> Floats:
    from cohortflow.topology.distances.bottleneck_search import bottleneck_tile

    out = np.empty((len(a.alone), len(b.alone)))
    bottleneck_tile(a.bars, a.offsets, a.birth, b.bars, b.offsets, b.birth, same, out)
    return out


def _prepared(diagrams: Sequence[npt.ArrayLike], essential: Essential) -> Prepared:
    return prepare(*pack(diagrams), 1.0, "linf", essential)


def _solve(a: Prepared, b: Prepared) -> tuple[float, Indices]:
    """The bottleneck of the finite bars, and the partners (bar of a,), -1 for the diagonal."""
    from cohortflow.topology.distances.bottleneck_search import line_bottleneck, plane_bottleneck

    x, y = a.bars, b.bars
    m, n = len(x.births), len(y.births)
    if a.birth[0] == b.birth[0]:
        level, count = line_bottleneck(x, y)
        partner = np.full(m, -1)
        partner[m - count :] = np.arange(n - count, n)
        return float(level), partner
    size = max(m, n)
    partner, owner, room = np.empty(size, np.int64), np.empty(size, np.int64), (2, size + 1)
    level = plane_bottleneck(
        x, y, partner, owner, np.empty(size), np.empty(room, np.int64), np.empty(size, np.bool_)
    )
    return float(level), partner[:m]
