from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from cohortflow.errors import EmptyInput, NotFinite, ShapeMismatch, UsageError
from cohortflow.evaluation.statistics import RankingStability, ranking_stability

NAMES = ("a", "b", "c")
# b wins most cases by little, a loses little and c loses one case by much.
SCORES = np.array([[0.90, 0.91, 0.92], [0.90, 0.91, 0.92], [0.90, 0.91, 0.92], [0.90, 0.80, 0.10]])


def ranked(scores: Any, **options: Any) -> RankingStability:
    chosen: dict[str, Any] = {"better": "higher", "seed": 0, "resamples": 200} | options
    return ranking_stability(scores, NAMES, **chosen)


def test_the_two_ways_to_rank_differ() -> None:
    first = ranked(SCORES)
    assert list(first.values) == [10 / 4, 2.0, 6 / 4]
    assert list(first.ranks) == [3, 2, 1]
    then = ranked(SCORES, method="aggregate-then-rank")
    assert list(then.values) == pytest.approx(SCORES.mean(axis=0))
    assert list(then.ranks) == [1, 2, 3]
    median = ranked(SCORES, method="aggregate-then-rank", aggregate="median")
    assert list(median.ranks) == [3, 2, 1]
    lower = ranked(-SCORES, better="lower", method="aggregate-then-rank")
    assert list(lower.values) == pytest.approx(-SCORES.mean(axis=0))
    assert list(lower.ranks) == [1, 2, 3]


@pytest.mark.parametrize("method", ["rank-then-aggregate", "aggregate-then-rank"])
def test_tau_is_that_of_scipy(method: Any) -> None:
    scores = np.random.default_rng(0).normal(size=(12, 3)).round(1)
    found = ranked(scores, method=method)
    assert found.bootstrap_ranks.shape == (200, 3)
    for ranks, tau in zip(found.bootstrap_ranks, found.tau, strict=True):
        expected = kendalltau(found.ranks, ranks).statistic
        assert tau == pytest.approx(expected, nan_ok=True)
    shares = found.share_of_ranks()
    assert shares.sum(axis=1) == pytest.approx([1, 1, 1])
    assert (found.rank_interval()[:, 0] <= found.rank_interval()[:, 1]).all()


def test_a_clear_order_is_stable_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    clear = ranked(rng.normal((0, 5, 10), size=(40, 3)))
    assert (clear.tau == 1).all()
    assert clear.share_of_ranks()[2, 0] == 1
    noise = ranked(rng.normal(size=(40, 3)))
    assert np.mean(noise.tau) < 0.9
    assert len(set(noise.bootstrap_ranks[:, 0])) > 1


def test_equal_systems_tie() -> None:
    same = np.repeat(np.random.default_rng(0).normal(size=(7, 1)), 3, axis=1)
    for method in ("rank-then-aggregate", "aggregate-then-rank"):
        found = ranked(same, method=method)
        assert (found.bootstrap_ranks == 1).all()
        assert np.isnan(found.tau).all(), "no order to agree with"


@given(
    st.integers(0, 10_000),
    st.integers(0, 5),
    st.integers(0, 2),
    st.sampled_from(["rank-then-aggregate", "aggregate-then-rank"]),
    st.sampled_from(["mean", "median"]),
    st.sampled_from([None, 0.0]),
)
def test_losing_a_case_never_improves_a_rank(
    seed: int, case: int, system: int, method: Any, aggregate: Any, worst: float | None
) -> None:
    scores = np.random.default_rng(seed).integers(0, 5, (6, 3)).astype(float)
    options: Any = {"method": method, "aggregate": aggregate, "worst": worst, "resamples": 3}
    before = ranked(scores, **options)
    scores[case, system] = math.nan
    after = ranked(scores, **options)
    assert after.ranks[system] >= before.ranks[system]
    assert after.n == before.n == 6


def test_two_that_miss_one_case_are_both_last_in_it() -> None:
    found = ranked([[math.nan, math.nan, 0.9], [0.3, 0.2, 0.1]])
    assert list(found.values) == [(3 + 1) / 2, (3 + 2) / 2, (1 + 3) / 2]


def test_patients_are_drawn_as_a_whole() -> None:
    scores = np.repeat(np.random.default_rng(3).normal(size=(10, 3)), 4, axis=0)
    grouped = ranked(scores, groups=np.repeat(range(10), 4))
    assert (grouped.n, grouped.units) == (40, 10)
    once = ranked(scores[::4])
    assert (grouped.bootstrap_ranks == once.bootstrap_ranks).all()


def test_degenerate_input() -> None:
    few = ranked(SCORES[:2])
    assert few.reason == "2 units, and 3 are the least"
    assert few.bootstrap_ranks.shape == (0, 3)
    assert list(few.ranks) == [3, 2, 1]
    with pytest.raises(EmptyInput):
        ranked(np.empty((0, 3)))
    with pytest.raises(ShapeMismatch):
        ranked(SCORES[:, :2])
    with pytest.raises(NotFinite):
        ranked(np.where(SCORES == 0.1, -np.inf, SCORES))
    with pytest.raises(UsageError, match="worse than the worst"):
        ranked(SCORES, worst=0.5)
    with pytest.raises(UsageError, match="no such"):
        ranked(SCORES, aggregate="mode")
