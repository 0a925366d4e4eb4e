"""A number of a cohort: one label and metric, with its denominator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class About(NamedTuple):
    label: int
    name: str
    metric: str
    unit: str
    policy: str


@dataclass(frozen=True)
class SummaryRow:
    """One label and metric over ``n`` of ``cases``; ``per`` says whether these are cases or slices,
    or ``voxel``: the voxels of n cases in one count.

    ``low`` and ``high`` are NaN where ``interval`` says that there is none. ``missing``: missed,
    invented, failed and absent cases among the n, each counted as its worst.
    ``left_out``: cases with the label in neither map, not among the n. ``published``: the number of
    a policy other than strict, for a printed table to stand beside, never alone.
    """

    label: int
    name: str
    metric: str
    value: float
    unit: str
    statistic: str
    per: str
    low: float
    high: float
    interval: str
    n: int
    cases: int
    missing: int
    left_out: int
    policy: str
    published: bool
    reason: str
