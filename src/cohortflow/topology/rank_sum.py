"""One rank-sum test per pair of regions, all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairTests:
    """Symmetric (roi, roi): ``p_value`` and ``q_value`` (diagonal 1), ``effect`` (diagonal 0)."""

    p_value: Floats
    q_value: Floats
    effect: Floats


def rank_sum_pairs(first: Floats, second: Floats) -> PairTests:
    """Two-sided Wilcoxon rank-sum test of every pair i < j between two groups of matrices.

    ``first``, ``second`` (subject, roi, roi), symmetric. The p-value is the normal approximation
    with corrections for ties and continuity; q is its Benjamini–Hochberg adjustment over all pairs;
    the effect is the rank-biserial correlation P(first > second) - P(first < second), in [-1, 1].

    Source: Aithal et al. 2024, section on group statistics (rank-sum at p < 0.01).
    """
    from scipy.stats import false_discovery_control, mannwhitneyu

    size = first.shape[-1]
    upper = np.triu_indices(size, 1)
    p_value, q_value, effect = np.ones((size, size)), np.ones((size, size)), np.zeros((size, size))
    if size > 1:
        x, y = first[:, *upper], second[:, *upper]
        tested = mannwhitneyu(x, y, axis=0, method="asymptotic", alternative="two-sided")
        p_value[upper] = tested.pvalue
        q_value[upper] = false_discovery_control(tested.pvalue, method="bh")
        effect[upper] = 2.0 * tested.statistic / (len(x) * len(y)) - 1.0
    for matrix in (p_value, q_value, effect):
        matrix.T[upper] = matrix[upper]
    return PairTests(p_value, q_value, effect)
