"""Exact Wasserstein distance of two persistence diagrams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohortflow.errors import UsageError
from cohortflow.topology.bars import Essential, Floats, GroundNorm, between, split_bars, to_diagonal


def wasserstein_distance(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    order: float = 1.0,
    ground_norm: GroundNorm = "linf",
    essential: Essential = "refuse",
) -> float:
    """Exact Wasserstein distance of two diagrams (bar, 2), in the unit of their filtration.

    (min over matchings of sum of cost^order)^(1/order); a bar matched with the diagonal costs its
    distance to it: persistence / 2 in ``ground_norm="linf"``, / sqrt(2) in "l2". ``order`` ≥ 1.
    ``essential`` bars (death = inf) are refused, dropped, or matched with each other at the
    difference of their births ("match"; inf where their counts differ).

    Source: Aithal et al. 2024, equation 4 (q = ``order``, L∞).
    """
    check_order(order)
    left = prepare(a, order, ground_norm, essential)
    return prepared_distance(left, prepare(b, order, ground_norm, essential), order, ground_norm)


@dataclass(frozen=True)
class Prepared:
    """A diagram made ready for many distances: bars by (birth, death), costs to the diagonal."""

    bars: Floats
    diagonal: Floats  # (bar,), already to the power of order
    essential: Floats
    birth: float | None  # the one birth of all bars, None where they differ or there is no bar


def check_order(order: float) -> None:
    if not 1.0 <= order < np.inf:
        raise UsageError(
            "a Wasserstein distance has a finite order ≥ 1",
            found=str(order),
            hint="For order = inf take bottleneck_distance.",
        )


def prepare(
    diagram: npt.ArrayLike, order: float, ground_norm: GroundNorm, essential: Essential
) -> Prepared:
    parts = split_bars(diagram, essential)
    bars = parts.finite[np.lexsort((parts.finite[:, 1], parts.finite[:, 0]))]
    one_birth = len(bars) > 0 and bars[0, 0] == bars[-1, 0]
    return Prepared(
        bars=bars,
        diagonal=to_diagonal(bars, ground_norm) ** order,
        essential=parts.essential,
        birth=float(bars[0, 0]) if one_birth else None,
    )


def prepared_distance(a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm) -> float:
    if len(a.essential) != len(b.essential):
        return float("inf")
    # On a line the sorted births are an optimal matching for every order ≥ 1.
    cost = float((np.abs(a.essential - b.essential) ** order).sum())
    cost += _matched_cost(a, b, order, ground_norm)
    return float(cost ** (1.0 / order))


def _matched_cost(a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm) -> float:
    if not len(a.bars) or not len(b.bars):
        return float(a.diagonal.sum() + b.diagonal.sum())
    if np.array_equal(a.bars, b.bars):
        return 0.0
    if a.birth is not None and a.birth == b.birth:
        from cohortflow.topology.line_matching import line_cost

        return float(line_cost(a.bars[:, 1], b.bars[:, 1], a.diagonal, b.diagonal, order))
    return _assigned_cost(a, b, order, ground_norm)


def _assigned_cost(a: Prepared, b: Prepared, order: float, ground_norm: GroundNorm) -> float:
    """Sum of matched costs by an exact assignment on the bars alone.

    A matched pair that costs more than both its bars cost at the diagonal is cut without loss, so
    the assignment of size (m + n)² shrinks to m × n gains, none above 0. The costs of the matching
    are summed, not "total minus gain", which loses digits where the distance is small.
    """
    from scipy.optimize import linear_sum_assignment

    cost = between(a.bars, b.bars, ground_norm) ** order
    gain = np.minimum(cost - a.diagonal[:, None] - b.diagonal[None, :], 0.0)
    rows, columns = linear_sum_assignment(gain)
    matched = gain[rows, columns] < 0.0
    rows, columns = rows[matched], columns[matched]
    return float(
        cost[rows, columns].sum()
        + np.delete(a.diagonal, rows).sum()
        + np.delete(b.diagonal, columns).sum()
    )
