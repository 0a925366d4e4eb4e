"""Paired tests, their adjustment, and effect sizes, against published examples and scipy."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cohortflow.errors import EmptyInput, NotFinite, NotLabels, ShapeMismatch
from cohortflow.evaluation.statistics import (
    adjusted_p_values,
    bca_interval,
    cliffs_delta,
    cohens_dz,
    compare_systems,
    delong_test,
    hodges_lehmann,
    matched_rank_biserial,
    mcnemar_test,
    permutation_test,
    wilcoxon_test,
)

# Hollander and Wolfe 1973, p. 29: Hamilton depression scale, nine patients at two visits.
FIRST = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
SECOND = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def test_signed_rank_test_of_hollander_and_wolfe() -> None:
    found = wilcoxon_test(FIRST, SECOND)
    assert found.p == pytest.approx(0.0390625)
    assert found.statistic == 5.0
    assert (found.n, found.used) == (9, 9)
    assert hodges_lehmann(FIRST, SECOND).value == pytest.approx(0.46)
    # 40 of 45 rank sums are for the first visit.
    assert matched_rank_biserial(FIRST, SECOND).value == pytest.approx((40 - 5) / 45)


def test_permutation_test_against_all_flips() -> None:
    differences = np.array(FIRST) - SECOND
    means = [np.mean(differences * flips) for flips in product((-1, 1), repeat=9)]
    extreme = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    found = permutation_test(FIRST, SECOND, seed=0)
    assert found.p == pytest.approx(extreme)
    assert found.statistic == pytest.approx(differences.mean())


def test_random_flips_never_give_zero_and_depend_on_the_seed_alone() -> None:
    x = np.random.default_rng(0).normal(3, 1, 40)
    first, again = (permutation_test(x, np.zeros(40), seed=1, resamples=499) for _ in range(2))
    assert first == again
    assert first.p == pytest.approx(2 / 500)


def answers(both: int, first: int, second: int, none: int) -> tuple[Any, Any]:
    a = np.array([True] * both + [True] * first + [False] * second + [False] * none)
    b = np.array([True] * both + [False] * first + [True] * second + [False] * none)
    return a, b


def test_mcnemar_of_fagerland_et_al() -> None:
    """Airway hyper-responsiveness of 21 children (Fagerland et al. 2013, table 1)."""
    children = answers(1, 1, 7, 12)
    assert mcnemar_test(*children).p == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_test(*children, method="mid-p").p == pytest.approx(0.0391, abs=5e-5)
    found = mcnemar_test(*children)
    assert (found.n, found.used, found.statistic) == (21, 8, 1), "the first alone was right once"
    equal = mcnemar_test(*answers(0, 3, 3, 0), method="mid-p")
    assert equal.p == pytest.approx(1 - 0.5 * stats.binom.pmf(3, 6, 0.5))


# DeLong, DeLong and Clarke-Pearson 1988: ovarian cancer;
# albumin, total protein, K-G score, outcome.
OVARIAN = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1
3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0
2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1
3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0
3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1
3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""


def test_delong_of_ovarian_cancer() -> None:
    """The figures that SAS/STAT prints for these data (PROC LOGISTIC, comparing ROC curves)."""
    albumin, protein, score, outcome = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    one = delong_test(outcome == 1, albumin, 10 - score)
    assert (one.first, one.first_se) == pytest.approx((0.7366, 0.0927), abs=5e-5)
    assert (one.second, one.second_se) == pytest.approx((0.7258, 0.1028), abs=5e-5)
    assert (one.difference, one.se) == pytest.approx((0.0108, 0.0953), abs=5e-5)
    assert (one.low, one.high) == pytest.approx((-0.1761, 0.1976), abs=5e-5)
    other = delong_test(outcome == 1, protein, 10 - score)
    assert (other.first, other.first_se) == pytest.approx((0.6478, 0.1000), abs=5e-5)
    assert (other.difference, other.se) == pytest.approx((-0.0780, 0.1046), abs=5e-5)
    assert (other.z**2, other.p) == pytest.approx((0.5554, 0.4561), abs=1e-4)
    assert (other.positives, other.negatives) == (31, 12)


def reference_delong(truth: Any, first: Any, second: Any) -> tuple[float, float]:
    """Difference and its variance by the definition: a kernel over all pairs."""
    kernels = []
    for scores in (first, second):
        gap = scores[truth][:, None] - scores[~truth][None, :]
        kernels.append((gap > 0) + 0.5 * (gap == 0))
    kernel = kernels[0] - kernels[1]
    m, n = kernel.shape
    variance = kernel.mean(axis=1).var(ddof=1) / m + kernel.mean(axis=0).var(ddof=1) / n
    return float(kernel.mean()), float(variance)


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 12))
def test_delong_against_its_definition(seed: int, m: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.arange(m + n) < m
    first, second = rng.integers(0, 6, (2, m + n)).astype(float)
    found = delong_test(truth, first, second)
    difference, variance = reference_delong(truth, first, second)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    if found.reason:
        assert variance == pytest.approx(0, abs=1e-14)
    else:
        assert found.se**2 == pytest.approx(variance, abs=1e-12)


def test_p_values_of_benjamini_and_hochberg_1995() -> None:
    """Their 15 hypotheses: Holm rejects three at 5 %, the false discovery rate four."""
    p = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528,
         .7590, 1.0]  # fmt: skip
    assert (adjusted_p_values(p) <= 0.05).sum() == 3
    assert (adjusted_p_values(p, "benjamini-hochberg") <= 0.05).sum() == 4
    assert adjusted_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_adjusting_never_lowers_a_p_value_and_a_lost_test_helps_nobody(
    p: list[float], data: Any
) -> None:
    lost = data.draw(st.integers(0, len(p) - 1))
    gone = [math.nan if i == lost else value for i, value in enumerate(p)]
    for control in ("holm", "benjamini-hochberg"):
        before = adjusted_p_values(p, control)
        after = adjusted_p_values(gone, control)
        assert (before >= np.array(p) - 1e-15).all()
        assert math.isnan(after[lost])
        kept = np.arange(len(p)) != lost
        assert (after[kept] >= before[kept] - 1e-12).all()


def test_effect_sizes_by_hand() -> None:
    a, b = [3.0, 5.0, 4.0, 8.0], [1.0, 4.0, 4.0, 5.0]
    differences = np.array([2.0, 1.0, 0.0, 3.0])
    assert cohens_dz(a, b).value == pytest.approx(1.5 / differences.std(ddof=1))
    walsh = [(x + y) / 2 for i, x in enumerate(differences) for y in differences[i:]]
    assert hodges_lehmann(a, b).value == pytest.approx(np.median(walsh))
    assert matched_rank_biserial(a, b).value == 1.0
    assert matched_rank_biserial(a, b).n == 3
    assert cliffs_delta([1.0, 2.0, 3.0], [2.0, 2.0, 0.0, 5.0]).value == pytest.approx(
        ((1 + 1 + 3) - (3 + 1 + 1)) / 12
    )


@given(st.lists(st.integers(0, 5), min_size=3, max_size=9), st.lists(st.integers(0, 5), min_size=3))
def test_cliffs_delta_against_mann_whitney(a: list[int], b: list[int]) -> None:
    u = stats.mannwhitneyu(a, b).statistic
    assert cliffs_delta(a, b).value == pytest.approx(2 * u / (len(a) * len(b)) - 1)


@pytest.mark.parametrize("test", [wilcoxon_test, lambda a, b: permutation_test(a, b, seed=0)])
def test_degenerate_pairs_have_a_reason(test: Any) -> None:
    few = test([1.0, 2.0], [3.0, 5.0])
    assert "2 pairs that differ, and 3 are the least" in few.reason
    ties = test([1.0] * 5, [1.0] * 5)
    assert ties.reason == "the two are equal in every case"
    assert math.isnan(few.p)
    assert math.isnan(ties.p)
    with pytest.raises(NotFinite, match="worst value"):
        test([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(EmptyInput):
        test([], [])
    with pytest.raises(ShapeMismatch):
        test([1.0], [1.0, 2.0])


def test_degenerate_effects_and_areas_have_a_reason() -> None:
    assert cohens_dz([2.0] * 4, [1.0] * 4).reason == "the values do not vary"
    for effect in (cohens_dz, matched_rank_biserial, hodges_lehmann, cliffs_delta):
        found = effect([1.0, 2.0], [0.0, 4.0])
        assert math.isnan(found.value)
        assert "3 are the least" in found.reason
    truth = np.array([True, True, False, False])
    same = delong_test(truth, [1, 2, 3, 4], [1, 2, 3, 4])
    assert same.reason == "the difference does not vary over cases"
    assert (same.difference, math.isnan(same.p)) == (0.0, True)
    assert "1 positive" in delong_test(truth[1:], [1, 2, 3], [3, 2, 1]).reason
    with pytest.raises(NotFinite):
        delong_test(truth, [1, 2, 3, math.nan], [1, 2, 3, 4])
    with pytest.raises(NotLabels):
        delong_test([0, 1, 1, 0], [1, 2, 3, 4], [1, 2, 3, 4])
    assert "equal" in mcnemar_test(*answers(3, 0, 0, 3)).reason
    with pytest.raises(NotLabels):
        mcnemar_test([1, 0], [0, 1])


def test_a_missing_case_worsens_an_area() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(20) < 8
    first, second = rng.normal(size=(2, 20)) + truth
    lost = first.copy()
    lost[0], lost[10] = -np.inf, np.inf
    assert delong_test(truth, lost, second).first < delong_test(truth, first, second).first


def test_systems_are_compared_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.8, 0.05, 30)
    table = np.stack([base, base - rng.normal(0.03, 0.01, 30), base + rng.normal(0, 0.02, 30)], 1)
    rows = compare_systems(table, ["a", "b", "c"], seed=0, resamples=500)
    assert [(row.first, row.second) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row.p_adjusted for row in rows] == list(adjusted_p_values([r.test.p for r in rows]))
    sure, open_, _ = rows
    assert sure.difference.low > 0 > open_.difference.low
    assert sure.p_adjusted < 0.001 < open_.p_adjusted
    assert sure.effects[0].effect == "Cohen's d_z"


def test_recordings_of_one_patient_count_once_in_the_test() -> None:
    rng = np.random.default_rng(0)
    table = np.repeat(rng.normal(size=(8, 2)), 4, axis=0)
    (row,) = compare_systems(
        table, ["a", "b"], groups=np.repeat(range(8), 4), seed=0, resamples=200
    )
    assert row.test == wilcoxon_test(table[::4, 0], table[::4, 1])
    assert (row.test.n, row.difference.n, row.difference.units) == (8, 32, 8)
    assert row.effects[0].n == 8
    assert row.effects[0].value == pytest.approx(cohens_dz(table[::4, 0], table[::4, 1]).value)


def test_a_comparison_draws_within_strata_and_is_adjusted_as_asked() -> None:
    rng = np.random.default_rng(1)
    sites = np.repeat(["a", "b"], 15)
    table = rng.normal(size=(30, 3)) + 3.0 * (sites == "b")[:, None] * np.arange(3)
    options: Any = {"seed": 0, "resamples": 200}
    rows = compare_systems(
        table, ["a", "b", "c"], strata=sites, control="benjamini-hochberg", **options
    )
    within = bca_interval(table[:, 0] - table[:, 1], np.mean, strata=sites, **options)
    assert rows[0].difference == within
    assert within.strata == 2
    p = [row.test.p for row in rows]
    assert [row.p_adjusted for row in rows] == list(adjusted_p_values(p, "benjamini-hochberg"))
    assert [row.p_adjusted for row in rows] != list(adjusted_p_values(p, "holm"))
