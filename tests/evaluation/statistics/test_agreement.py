from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from cohortflow.errors import NotFinite, UsageError
from cohortflow.evaluation.statistics import bland_altman
from cohortflow.evaluation.statistics.agreement import limit_factors

# Bland and Altman 1986, Lancet 327, 307–310: peak flow (l/min) of 17 people, first readings.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_peak_flow_of_bland_and_altman() -> None:
    found = bland_altman(WRIGHT, MINI, unit="l/min", method="approximate")
    assert (found.bias, found.sd) == pytest.approx((-2.1, 38.8), abs=0.05)
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.1)
    # They take 2 sd and the standard error √(3 s² / n): -79.7, and -114.3 … -45.1.
    assert found.bias - 2 * found.sd == pytest.approx(-79.7, abs=0.1)
    assert found.lower == pytest.approx(-2.12 - 1.96 * 38.77, abs=0.05)
    half = (found.lower_interval[1] - found.lower_interval[0]) / 2
    assert half == pytest.approx((114.3 - 45.1) / 2, rel=0.02)
    assert (found.n, found.unit, found.method) == (17, "l/min", "approximate")


def test_exact_factors_are_the_tolerance_factors_of_the_tables() -> None:
    """One-sided normal tolerance factors, 95 % of values with 95 % confidence (Odeh and Owen)."""
    for n, factor in ((10, 2.911), (20, 2.396), (50, 2.065)):
        assert limit_factors(n, float(ndtri(0.95)), 0.90, "exact")[1] == pytest.approx(
            factor, abs=6e-4
        )


def test_exact_and_approximate_meet_in_large_samples_and_differ_in_small_ones() -> None:
    exact, near = (limit_factors(2000, 1.96, 0.95, m) for m in ("exact", "approximate"))
    assert exact == pytest.approx(near, abs=2e-3)
    exact, near = (limit_factors(6, 1.96, 0.95, m) for m in ("exact", "approximate"))
    assert exact[1] > near[1] + 0.5, "the exact interval goes further out"


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=20), st.floats(-9, 9), st.floats(0.5, 3))
def test_limits_move_and_stretch_with_the_values(
    x: list[float], shift: float, scale: float
) -> None:
    first = bland_altman(x, np.zeros(len(x)), unit="mm")
    if first.reason or first.sd < 1e-6:
        return
    other = bland_altman(np.array(x) * scale + shift, np.zeros(len(x)), unit="mm")
    for name in ("bias", "lower", "upper"):
        expected = getattr(first, name) * scale + shift
        assert getattr(other, name) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert first.lower_interval[0] < first.lower < first.lower_interval[1]
    assert first.upper_interval[0] < first.upper < first.upper_interval[1]
    mirrored = bland_altman(np.zeros(len(x)), x, unit="mm")
    assert mirrored.upper_interval == pytest.approx(
        tuple(-end for end in reversed(first.lower_interval)), rel=1e-9, abs=1e-9
    )


def test_degenerate_input_has_a_reason() -> None:
    for first, second, reason in (
        ([1.0, 2.0], [2.0, 1.0], "2 cases, and 3 are the least"),
        ([2.0] * 4, [1.0] * 4, "the values do not vary"),
    ):
        found = bland_altman(first, second, unit="mm")
        assert found.reason == reason
        assert math.isnan(found.lower)
        assert math.isnan(found.upper_interval[1])
        assert found.bias == np.mean(np.subtract(first, second))
    with pytest.raises(NotFinite):
        bland_altman([1.0, math.nan, 3.0], [1.0, 2.0, 3.0], unit="mm")
    with pytest.raises(UsageError):
        bland_altman(WRIGHT, MINI, unit="mm", level=95)


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20])
def test_exact_intervals_of_a_limit_cover_as_they_say(n: int) -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(4000):
        found = bland_altman(rng.normal(1, 2, n), np.zeros(n), unit="mm")
        hits += found.upper_interval[0] <= 1 + 1.959964 * 2 <= found.upper_interval[1]
    assert hits / 4000 == pytest.approx(0.95, abs=0.012)
