"""How large a difference is, on paired cases and between groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.evaluation.statistics.samples import NO_VARIANCE, columns_of, too_few


@dataclass(frozen=True)
class Effect:
    """An effect size of ``n`` cases or pairs (NaN with a ``reason`` where there is none)."""

    effect: str
    value: float
    n: int
    reason: str = ""


def cohens_dz(first: ArrayLike, second: ArrayLike) -> Effect:
    """Mean of first - second (case) in its own sample standard deviations.

    Source: Cohen 1988, section 2.3.5.
    """
    a, b = columns_of(first, second)
    differences = a - b
    reason = too_few(a.size) or (NO_VARIANCE if np.ptp(differences) == 0.0 else "")
    if reason:
        return Effect("Cohen's d_z", math.nan, a.size, reason)
    return Effect("Cohen's d_z", float(differences.mean() / differences.std(ddof=1)), a.size)


def matched_rank_biserial(first: ArrayLike, second: ArrayLike) -> Effect:
    """Rank sum of positive differences minus that of negative ones, of their total: -1 … 1.

    Equal pairs are left out, as in the signed-rank test; ``n`` counts the others.
    Source: Kerby 2014, Comprehensive Psychology 3.
    """
    from scipy.stats import rankdata

    a, b = columns_of(first, second)
    differences = (a - b)[a != b]
    reason = too_few(differences.size, "pairs that differ")
    if reason:
        return Effect("matched rank-biserial", math.nan, differences.size, reason)
    ranks = rankdata(np.abs(differences))
    value = float((np.sign(differences) * ranks).sum() / ranks.sum())
    return Effect("matched rank-biserial", value, differences.size)


def cliffs_delta(first: ArrayLike, second: ArrayLike) -> Effect:
    """P(first > second) - P(first < second) of two groups (case), which need no common length.

    Source: Cliff 1993, Psychological Bulletin 114, 494–509.
    """
    (a,), (b,) = columns_of(first), columns_of(second)
    reason = too_few(min(a.size, b.size))
    if reason:
        return Effect("Cliff's delta", math.nan, a.size + b.size, reason)
    ordered = np.sort(b)
    below = np.searchsorted(ordered, a, "left").sum()
    above = b.size * a.size - np.searchsorted(ordered, a, "right").sum()
    return Effect("Cliff's delta", float(below - above) / (a.size * b.size), a.size + b.size)


def hodges_lehmann(first: ArrayLike, second: ArrayLike) -> Effect:
    """Median of the means of all pairs of differences first - second (case), each with itself too.

    In the unit of the values. Needs memory for n (n + 1) / 2 numbers.
    Source: Hodges and Lehmann 1963, Annals of Mathematical Statistics 34, 598–611.
    """
    a, b = columns_of(first, second)
    reason = too_few(a.size)
    if reason:
        return Effect("Hodges–Lehmann", math.nan, a.size, reason)
    differences = a - b
    i, j = np.triu_indices(a.size)
    return Effect(
        "Hodges–Lehmann", float(np.median((differences[i] + differences[j]) / 2.0)), a.size
    )
