"""BCa intervals: scipy where it can do the same, groups and strata, coverage, degenerate input."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.statistics import bca_interval
from cohortflow.evaluation.statistics.bootstrap import bca_ends, bootstrap_distribution
from cohortflow.evaluation.statistics.resampling import units_of


def ratio(a: Any, b: Any, axis: int) -> Any:
    return a.mean(axis=axis) / b.mean(axis=axis)


def scipy_ends(samples: Any, statistic: Any, drawn: Any, **options: Any) -> tuple[float, float]:
    """scipy's interval of our own distribution of resamples."""
    found = stats.bootstrap(
        samples, statistic, n_resamples=0, method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=drawn), **options,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


@pytest.mark.parametrize("statistic", [np.mean, np.median, np.std])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_one_column_equals_scipy(statistic: Any, level: float) -> None:
    x = np.random.default_rng(0).lognormal(size=37)
    drawn = bootstrap_distribution([x], statistic, units_of(37), 2000, 5)
    found = bca_interval(x, statistic, seed=5, resamples=2000, level=level)
    expected = scipy_ends((x,), statistic, drawn, confidence_level=level)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert found.estimate == statistic(x)
    assert (found.n, found.units, found.strata, found.reason) == (37, 37, 1, "")


def test_paired_columns_equal_scipy() -> None:
    rng = np.random.default_rng(1)
    a = rng.lognormal(size=25)
    b = a + rng.normal(3, 0.2, 25)
    drawn = bootstrap_distribution([a, b], ratio, units_of(25), 2000, 5)
    found = bca_interval([a, b], ratio, seed=5, resamples=2000)
    expected = scipy_ends((a, b), ratio, drawn, paired=True)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_strata_equal_independent_samples_of_scipy() -> None:
    rng = np.random.default_rng(2)
    small, large = rng.lognormal(size=12), 5 + rng.lognormal(size=30)

    def pooled(*columns: Any, axis: int) -> Any:
        return np.concatenate(columns, axis=axis).mean(axis=axis)

    x, strata = np.concatenate([small, large]), ["a"] * 12 + ["b"] * 30
    drawn = bootstrap_distribution([x], np.mean, units_of(42, None, strata), 2000, 5)
    found = bca_interval(x, np.mean, strata=strata, seed=5, resamples=2000)
    expected = scipy_ends((small, large), pooled, drawn)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    whole = bca_interval(x, np.mean, seed=5, resamples=2000)
    assert found.high - found.low < 0.8 * (whole.high - whole.low), "strata take variance away"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=2, max_size=15))
def test_draws_hold_whole_groups_and_as_many_of_each_stratum(rows: Any) -> None:
    groups = [f"{s}-{g}" for g, s in rows]
    strata = [s for _, s in rows]
    units = units_of(len(rows), groups, strata)
    sizes = {name: groups.count(name) for name in groups}
    for block in units.draws(5, np.random.default_rng(0)):
        for row in block:
            (cases,) = units.cases_of(row[None]) if not units.even else [units.cases_of(row[None])]
            found = [groups[i] for i in np.concatenate(list(cases)).ravel()]
            for name in set(found):
                assert found.count(name) % sizes[name] == 0
            for stratum in set(strata):
                own = {name for name in sizes if name.startswith(f"{stratum}-")}
                drawn = sum(found.count(name) / sizes[name] for name in set(found) & own)
                assert drawn == len(own)


def test_groups_of_one_case_are_no_groups() -> None:
    x = np.random.default_rng(0).normal(size=20)
    plain = bca_interval(x, np.mean, seed=3, resamples=500)
    assert bca_interval(x, np.mean, groups=range(20), seed=3, resamples=500) == plain


def test_repeated_recordings_give_the_interval_of_the_patients() -> None:
    x = np.random.default_rng(0).normal(size=20)
    once = bca_interval(x, np.mean, seed=3, resamples=500)
    thrice = np.repeat(x, 3)
    grouped = bca_interval(thrice, np.mean, groups=np.repeat(range(20), 3), seed=3, resamples=500)
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), rel=1e-9)
    assert (grouped.n, grouped.units) == (60, 20)
    naive = bca_interval(thrice, np.mean, seed=3, resamples=500)
    assert naive.high - naive.low < 0.7 * (once.high - once.low), "as if there were 60 patients"


def test_uneven_groups_equal_a_ratio_of_sums() -> None:
    """The mean over cases of drawn groups is Σ sums / Σ sizes: two columns, a row per group."""
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 5, 15)
    groups = np.repeat(range(15), sizes)
    x = rng.normal(size=len(groups)) + groups / 5
    sums = np.array([x[groups == g].sum() for g in range(15)])
    by_case = bca_interval(x, np.mean, groups=groups, seed=1, resamples=800)
    by_group = bca_interval([sums, sizes], ratio, seed=1, resamples=800)
    assert (by_case.low, by_case.high) == pytest.approx((by_group.low, by_group.high), rel=1e-9)


def test_a_seed_decides() -> None:
    x = np.random.default_rng(0).normal(size=20)
    first, again, other = (bca_interval(x, np.mean, seed=s, resamples=300) for s in (1, 1, 2))
    assert first == again
    assert first != other


def some_auc(truth: Any, scores: Any, axis: int) -> Any:
    from sklearn.metrics import roc_auc_score

    if truth.ndim > 1:
        return np.array([some_auc(t, s, -1) for t, s in zip(truth, scores, strict=True)])
    return roc_auc_score(truth, scores) if 0 < truth.sum() < truth.size else np.nan


def test_an_auc_needs_strata() -> None:
    truth = np.array([1.0] * 3 + [0.0] * 9)
    scores = np.random.default_rng(0).normal(size=12) + truth
    loose = bca_interval([truth, scores], some_auc, seed=0, resamples=200)
    assert math.isnan(loose.low)
    assert "undefined in" in loose.reason
    assert "strata" in loose.reason
    held = bca_interval([truth, scores], some_auc, strata=truth, seed=0, resamples=200)
    assert held.low < held.estimate <= held.high <= 1.0


@pytest.mark.parametrize(
    ("x", "options", "reason"),
    [
        ([1.0, 2.0], {}, "2 units, and 3 are the least"),
        ([5.0] * 9, {}, "do not vary"),
        ([1.0, 2.0, 3.0, 4.0], {"groups": "aabb"}, "2 units"),
        ([1.0, 2.0, 3.0, 4.0], {"strata": "aaab"}, "1 of 2 strata hold one unit"),
    ],
)
def test_degenerate_input_has_an_estimate_and_a_reason(x: Any, options: Any, reason: str) -> None:
    found = bca_interval(x, np.mean, seed=0, resamples=100, **options)
    assert found.estimate == np.mean(x)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert reason in found.reason


def test_a_distribution_beside_its_estimate_has_no_interval() -> None:
    x = np.arange(5.0)
    ends = bca_ends([x], np.mean, units_of(5), 2.0, np.array([3.0, 4.0, 5.0]), 0.95)
    assert ends[2] == "the estimate lies outside all resamples"


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(EmptyInput):
        bca_interval([], np.mean, seed=0)
    with pytest.raises(NotFinite, match="1 of 3"):
        bca_interval([1.0, math.nan, 2.0], np.mean, seed=0)
    with pytest.raises(ShapeMismatch):
        bca_interval([1.0, 2.0, 3.0], np.mean, groups="ab", seed=0)
    with pytest.raises(ShapeMismatch):
        bca_interval([[1.0, 2.0], [1.0]], ratio, seed=0)
    with pytest.raises(UsageError, match="several strata"):
        bca_interval([1.0, 2.0, 3.0], np.mean, groups="aab", strata="xyy", seed=0)
    with pytest.raises(UsageError, match="level"):
        bca_interval([1.0, 2.0, 3.0], np.mean, level=1.0, seed=0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=4, max_size=20), st.floats(-5, 5), st.integers(0, 9))
def test_intervals_move_with_the_values(x: list[float], shift: float, seed: int) -> None:
    found = bca_interval(x, np.mean, seed=seed, resamples=200)
    moved = bca_interval(np.array(x) + shift, np.mean, seed=seed, resamples=200)
    if found.reason or moved.reason:
        return
    assert found.low <= found.high
    assert (moved.low, moved.high) == pytest.approx(
        (found.low + shift, found.high + shift), rel=1e-6, abs=1e-6
    )


COVERED = {
    "normal": (lambda rng: rng.normal(3, 2, 40), None, 3.0),
    "exponential": (lambda rng: rng.exponential(1, 60), None, 1.0),
    "patients": (
        lambda rng: np.repeat(rng.normal(0, 1, 30), 3) + rng.normal(0, 0.3, 90),
        np.repeat(range(30), 3),
        0.0,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERED)
def test_coverage_of_a_mean(name: str) -> None:
    """95 % of 1000 intervals, less what BCa is known to lack in small samples."""
    draw: Any
    draw, groups, truth = COVERED[name]
    rng = np.random.default_rng(7)
    hits = 0
    for i in range(1000):
        found = bca_interval(draw(rng), np.mean, groups=groups, seed=i, resamples=999)
        hits += found.low <= truth <= found.high
    assert 0.915 <= hits / 1000 <= 0.97
    if groups is not None:
        naive = 0
        for i in range(300):
            found = bca_interval(draw(rng), np.mean, seed=i, resamples=999)
            naive += found.low <= truth <= found.high
        assert naive / 300 < 0.85, "recordings drawn alone cover too little"
