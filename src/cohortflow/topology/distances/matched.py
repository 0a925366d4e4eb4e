"""A matching of two diagrams, in rows of the tables that were given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohortflow.errors import UsageError
from cohortflow.topology.distances.prepared import Indices, Prepared


@dataclass(frozen=True)
class Matching:
    """An optimal matching: rows of the two tables of bars, and the distance that it attains."""

    distance: float
    pairs: Indices  # (pair, 2): row of a, row of b, by the first
    diagonal_a: Indices  # (bar,): rows of a matched with the diagonal
    diagonal_b: Indices


def refuse_unpaired(left: Prepared, right: Prepared) -> None:
    """UsageError where two diagrams differ in their number of essential bars."""
    if len(left.essential) != len(right.essential):
        raise UsageError(
            "essential bars without partners cost infinitely much",
            expected=f"{len(left.essential)} essential bar(s), as in the first diagram",
            found=str(len(right.essential)),
        )


def assembled(left: Prepared, right: Prepared, met: Indices, distance: float) -> Matching:
    """From pairs ``met`` (pair, 2) of finite bars in their order, to rows of the tables given."""
    finite = np.column_stack([left.position[met[:, 0]], right.position[met[:, 1]]])
    endless = np.column_stack([left.essential_position, right.essential_position])
    pairs = np.concatenate([finite, endless])
    return Matching(
        distance=distance,
        pairs=pairs[np.argsort(pairs[:, 0])],
        diagonal_a=np.setdiff1d(left.position, finite[:, 0]),
        diagonal_b=np.setdiff1d(right.position, finite[:, 1]),
    )
