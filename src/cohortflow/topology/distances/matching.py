"""Which bars an optimal matching of two persistence diagrams pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cohortflow.topology.bars import Essential, GroundNorm
from cohortflow.topology.distances.augmented import augmented_matching
from cohortflow.topology.distances.blocks import essential_costs
from cohortflow.topology.distances.costs import on_line, root
from cohortflow.topology.distances.matched import Matching, assembled, refuse_unpaired
from cohortflow.topology.distances.prepared import Bars, Indices, Prepared, ahead, prepare
from cohortflow.topology.distances.room import refuse_beyond_memory
from cohortflow.topology.distances.scaled import scaled_distance, scaled_matching, too_small
from cohortflow.topology.ragged import pack


def wasserstein_matching(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    order: float = 1.0,
    ground_norm: GroundNorm = "linf",
    essential: Essential = "refuse",
) -> Matching:
    """A matching that attains the Wasserstein distance, one of several where costs tie.

    Parameters and errors as in
    :func:`~cohortflow.topology.distances.wasserstein.wasserstein_distance`. Every bar is named
    once, those that ``essential`` drops never; diagrams of different numbers of essential bars have
    no matching of finite cost: UsageError.
    """
    left, right = (prepare(*pack([x]), order, ground_norm, essential) for x in (a, b))
    refuse_unpaired(left, right)
    swapped = ahead(left.bars) > ahead(right.bars)
    first, second = (right, left) if swapped else (left, right)
    cost, partner = _solve(first, second, order, ground_norm)
    equal = ahead(left.bars) == ahead(right.bars)
    if too_small(np.array([cost]), order) and not equal:
        partner = scaled_matching(first.bars, second.bars, order, ground_norm)[1]
    met = np.column_stack([np.flatnonzero(partner >= 0), partner[partner >= 0]])
    total = cost + essential_costs(left, right, order)[0]
    distance = float(root(total, order)[0])
    if too_small(total, order) and not equal:
        distance = scaled_distance(left, 0, right, 0, order, ground_norm)
    return assembled(left, right, met[:, ::-1] if swapped else met, distance)


def _solve(
    a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm
) -> tuple[float, Indices]:
    """Cost^order of the finite bars, and the partners (bar of a,), -1 for the diagonal."""
    x, y = a.bars, b.bars
    if ahead(x) == ahead(y):
        return 0.0, np.arange(len(x.births))
    if not len(x.births):
        return float(b.alone[0]), np.empty(0, np.int64)
    if a.birth[0] != b.birth[0]:
        return _in_plane(x, y, order, ground_norm)
    return _by_sweep(a, b) if order == 1.0 else _on_line(x, y, order)


def _by_sweep(a: Prepared, b: Prepared) -> tuple[float, Indices]:
    from cohortflow.topology.distances.line_sweep import keep_on_line

    x, y = a.bars, b.bars
    m, size = len(x.births), len(x.births) + len(y.births)
    keys, labels = np.empty((2, size + 1)), np.empty((2, size + 1), np.int32)
    kept = np.empty(size, np.uint8)
    keep_on_line(x.births[0], x.deaths, y.deaths, x.diagonal, y.diagonal, keys, labels, kept)
    partner = np.full(m, -1)
    partner[kept[:m] == 1] = np.flatnonzero(kept[m:])
    cost = np.zeros((1, 1))  # as a tile adds it up, to the last bit
    on_line(a, b, 1.0, np.ones((1, 1), dtype=np.bool_), cost)
    return float(cost[0, 0]), partner


def _on_line(a: Bars, b: Bars, order: float) -> tuple[float, Indices]:
    from cohortflow.topology.distances.line_matching import line_cost, line_partners

    m, n = len(a.births), len(b.births)
    refuse_beyond_memory(m + n + 1, m + 1)
    table, partner = np.empty((m + n + 1, m + 1)), np.empty(m, np.int64)
    cost = line_cost(a.deaths, b.deaths, a.diagonal, b.diagonal, float(order), table)
    line_partners(a.diagonal, b.diagonal, table, partner)
    return float(cost), partner


def _in_plane(a: Bars, b: Bars, order: float, ground_norm: GroundNorm) -> tuple[float, Indices]:
    from cohortflow.topology.distances.plane_matching import FLOATS, INTS, plane_cost

    m, n = len(a.births), len(b.births)
    partner = np.empty(n, np.int64)
    room = np.empty(m * n), np.empty((FLOATS, n)), np.empty((INTS, n), np.int64)
    cost = plane_cost(a, b, float(order), ground_norm == "l2", partner, *room)
    if np.isnan(cost):
        return augmented_matching(a, b, order, ground_norm)
    return float(cost), partner[:m]
