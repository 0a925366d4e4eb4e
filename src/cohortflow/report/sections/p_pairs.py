"""The pairs of regions that differ most between two groups: p, its corrections, and the effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Column, Table

if TYPE_CHECKING:
    from cohortflow.report.sections.p_maps import PairMap

MOST_PAIRS = 3
CONFIDENCE = 0.95

CAPTION = (
    f"The {MOST_PAIRS} pairs of smallest p in each map, significant or not. The effect is the "
    "rank-biserial correlation, positive where distances are larger in the group named first"
)
NOTE = (
    "The interval is of one pair (Newcombe 2006): of the extremes of many pairs it says too little."
)


def strongest_pairs(maps: Sequence[PairMap]) -> Table:
    rows = [row for found in maps for row in _rows(found)]
    columns = [
        Column("comparison", "Comparison"),
        Column("network", "Network"),
        Column("degree", "Degree"),
        Column("pair", "Pair of regions", "names"),
        Column("p", "p", "p"),
        Column("q", "Corrected", "p", "Benjamini–Hochberg"),
        Column("family", "By permutation", "p", "all pairs"),
        Column("first", "Groups", "names"),
        Column("effect", "Effect", "number", "rank-biserial"),
        Column("interval", "95 % interval", "ends"),
    ]
    if all(found.p_family is None for found in maps):
        columns = [column for column in columns if column.name != "family"]
    return Table("strongest_pairs", CAPTION, columns, rows, shown=40, notes=[NOTE])


def _rows(found: PairMap) -> list[dict[str, Any]]:
    import numpy as np

    from cohortflow.topology.group_maps.intervals import rank_biserial_interval

    upper = np.triu_indices(len(found.regions), 1)
    order = np.argsort(found.p_value[upper], kind="stable")[:MOST_PAIRS]
    first, second = (found.counts.get(group, 0) for group in found.groups)
    rows = []
    for i, j in zip(upper[0][order].tolist(), upper[1][order].tolist(), strict=True):
        low, high = rank_biserial_interval(found.effect[i, j], first, second, CONFIDENCE)
        rows.append(
            {
                "comparison": found.comparison,
                "network": found.network,
                "degree": f"H{found.degree}",
                "pair": [found.regions[i], found.regions[j]],
                "p": float(found.p_value[i, j]),
                "q": float(found.q_value[i, j]),
                "family": None if found.p_family is None else float(found.p_family[i, j]),
                "first": list(found.groups),
                "effect": float(found.effect[i, j]),
                "interval": [float(low), float(high)],
            }
        )
    return rows
