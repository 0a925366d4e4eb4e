"""One rank-sum test per pair of regions, all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohortflow.errors import GroupTooSmall, MissingValues, UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairTests:
    """Symmetric (roi, roi): ``p_value`` and ``q_value`` (diagonal 1), ``effect`` (diagonal 0)."""

    p_value: Floats
    q_value: Floats
    effect: Floats


def rank_sum_pairs(first: Floats, second: Floats) -> PairTests:
    """Two-sided Wilcoxon rank-sum test of every pair i < j between two groups of matrices.

    ``first``, ``second`` (subject, roi, roi), symmetric: what stands above the diagonal is read.
    The p-value is the normal approximation with corrections for ties and continuity; q is its
    Benjamini–Hochberg adjustment over all pairs; the effect is the rank-biserial correlation
    P(first > second) - P(first < second), in [-1, 1]. A pair of equal values everywhere has p = 1
    and effect 0.

    Raises GroupTooSmall for a group without subjects, MissingValues for NaN or infinity.
    Source: Aithal et al. 2024, section on group statistics (rank-sum at p < 0.01).
    """
    from scipy.stats import false_discovery_control, mannwhitneyu

    x, y = pairs_above(first, second)
    p_value = q_value = effect = np.empty(0)
    if x.shape[1]:
        tested = mannwhitneyu(x, y, axis=0, method="asymptotic", alternative="two-sided")
        p_value = tested.pvalue
        q_value = false_discovery_control(p_value, method="bh")
        effect = 2.0 * tested.statistic / (len(x) * len(y)) - 1.0
    size = first.shape[-1]
    return PairTests(
        mirrored(p_value, size, 1.0), mirrored(q_value, size, 1.0), mirrored(effect, size, 0.0)
    )


def pairs_above(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Check two groups (subject, roi, roi) and take their pairs i < j: (subject, pair) of each."""
    for group in (first, second):
        if group.ndim != 3 or group.shape[1:] != (first.shape[-1],) * 2:
            raise UsageError(
                "groups are stacks of square matrices of one size",
                expected="(subject, roi, roi)",
                found=f"{first.shape} and {second.shape}",
            )
        if not len(group):
            raise GroupTooSmall("a group without subjects", expected="one at least", found="0")
    upper = np.triu_indices(first.shape[-1], 1)
    x, y = first[:, *upper], second[:, *upper]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise MissingValues("a distance that is NaN or infinite has no rank")
    return x, y


def mirrored(values: Floats, size: int, diagonal: float) -> Floats:
    """Values of the pairs i < j as a symmetric (roi, roi) matrix."""
    matrix = np.full((size, size), diagonal)
    upper = np.triu_indices(size, 1)
    matrix[upper] = matrix.T[upper] = values
    return matrix
