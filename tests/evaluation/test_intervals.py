from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from cohortflow.evaluation.intervals import clopper_pearson

COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_agrees_with_the_exact_test_and_holds_the_proportion(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = clopper_pearson(hits, n)
    exact = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert low <= hits / n <= high


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.99]))
def test_a_proportion_at_the_end_leaves_half_of_the_error_in_the_tail(
    counts: tuple[int, int], level: float
) -> None:
    hits, n = counts
    low, high = clopper_pearson(hits, n, level)
    if hits > 0:
        assert binom.sf(hits - 1, n, low) == pytest.approx((1 - level) / 2, rel=1e-6)
    if hits < n:
        assert binom.cdf(hits, n, high) == pytest.approx((1 - level) / 2, rel=1e-6)


def test_nineteen_of_twenty() -> None:
    assert clopper_pearson(19, 20) == pytest.approx((0.7513, 0.9987), abs=1e-4)


def test_nothing_counted_says_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "n"), [(3, 2), (-1, 2)])
def test_what_is_no_proportion_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        clopper_pearson(hits, n)
