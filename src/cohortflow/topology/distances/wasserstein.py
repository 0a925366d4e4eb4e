"""Exact Wasserstein distance of two persistence diagrams."""

from __future__ import annotations

import numpy.typing as npt

from cohortflow.topology.bars import Essential, GroundNorm
from cohortflow.topology.distances.pairwise import wasserstein_tile
from cohortflow.topology.ragged import pack


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
    return float(wasserstein_tile(pack([a]), pack([b]), order, ground_norm, essential)[0, 0])
